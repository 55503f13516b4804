/* pow.c - power and logarithm in 64- and 128-bit integers.
 *
 * libm's pow is not correctly rounded and differs between C libraries; a workload drawn through it would not be a
 * function of its seed. Here only the conversion from and to the format of a double touches floating point.
 *
 * log2:  x = 2^e * m, m in [1, 2). The first 7 bits of m choose k with k / 1024 about 1 / m, so z = m * k / 1024 - 1 is
 *        exact and |z| < 2^-7; log2(x) = e - log2(k / 1024) + log2(1 + z), the last by its series.
 *
 *          127        112                                   0
 *          [ e, signed | fraction of log2(x)                ]   Q112, good to about 2^-74
 *
 *        k = 1024 in the first interval and 512 in the last: near x = 1, on both sides, nothing cancels.
 * exp2:  the fraction's first 7 bits choose 2^(j / 128) (Q63), the rest goes through the series of 2^r - 1.
 *
 * Invariants
 *  1. wl_pow(x, 0) = 1, wl_pow(1, y) = 1, powers of two are exact.
 *  2. The error before rounding is below 2^-61 of the result.
 * Cost: 17 multiplications of 64 by 64 bits each for logarithm and power.
 * Leaves out: subnormal numbers, zero, infinity, not-a-number, negative x (asserted away). */
#include "workloads/pow.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 i128;

/* clang-format off */
/* {k, high, low}: k / 1024 is about 1 / m for the m of interval i; high and low are -log2(k / 1024) in Q112. */
static const struct reciprocal { uint16_t k; uint64_t high, low; } reciprocal[128] = {
	{1024, 0x0u, 0x0000000000000000u}, {1012, 0x45a88788282u, 0x9142f24d04e397bcu},
	{1004, 0x748ebf1244eu, 0x7e26f36b9ef504a1u}, {997, 0x9de6ecdcf80u, 0x799af9cee7680e5au},
	{989, 0xcd8281c6c20u, 0x4aab9b89872ec473u}, {982, 0xf77bc92845bu, 0x4eb09b992dcd8ef5u},
	{975, 0x121c1ef55f06u, 0xc2049fbb19746272u}, {967, 0x15271a78622au, 0x0f684f017f5d53d3u},
	{960, 0x17d60496cfbbu, 0x4c673b4511f8c2b5u}, {953, 0x1a89f5a6dc9au, 0xcbebd7e444eb85b2u},
	{946, 0x1d4300a2524du, 0x4176b34bb5c8820du}, {940, 0x1f9c95dc1d11u, 0x64e932b2d51c5d0au},
	{933, 0x225f4deaa1f1u, 0x2bb0be519e16c228u}, {926, 0x2527587b834cu, 0xd0cbcb0cff178453u},
	{920, 0x278df6ca19bcu, 0xa142c8958f27b652u}, {913, 0x2a601af2dbe6u, 0x733c4a2f71eb2cc0u},
	{907, 0x2ccf8104e172u, 0x0a10f29c8b3e87cdu}, {901, 0x2f430a52c6b2u, 0x4b4c07ea7f143560u},
	{895, 0x31bac5042809u, 0x52126349831eb8f8u}, {889, 0x3436bf89c168u, 0xc9b840da05a17846u},
	{883, 0x36b7089f6967u, 0xde2c91f48ab79e27u}, {877, 0x393baf4e1da2u, 0xbff029ae25665a08u},
	{871, 0x3bc4c2ee211au, 0x06e2b9b128bf3d5bu}, {865, 0x3e5253292d51u, 0x1159ca9c97828390u},
	{859, 0x40e46ffcb6f3u, 0xccdfd6f78db1142cu}, {854, 0x430c62bb7fcfu, 0x01d99b6125b9d354u},
	{848, 0x45a7014d8fc5u, 0x61c8d43e017579b7u}, {843, 0x47d6225cf21du, 0x1c61f4accdd6d30fu},
	{838, 0x4a0896ed7992u, 0x8fa3aac2fde8bef2u}, {832, 0x4caffb8dc3b9u, 0xa1968925e378d67du},
	{827, 0x4ee9e58ff07eu, 0x3bbec027c213f325u}, {822, 0x51274457bdf6u, 0x1db1edc2a4a845d1u},
	{817, 0x536822b11925u, 0x69285c90eabacd83u}, {812, 0x55ac8b9ad5e3u, 0x927279ace2aa25e3u},
	{807, 0x57f48a47f0cfu, 0x3bd6bd25b8e0031au}, {802, 0x5a402a20db43u, 0x541d3cd794eee08bu},
	{797, 0x5c8f76c4d1adu, 0x94550f4a6e081d2cu}, {792, 0x5ee27c0b3caau, 0xb4c7c4f175aa9d94u},
	{787, 0x613946051d51u, 0x23e24ebf7a84f4ccu}, {783, 0x631b0cd762e5u, 0x96c6c454b0302626u},
	{778, 0x6578be6d47c1u, 0x38bc99b3611ce568u}, {773, 0x67da57beef43u, 0xba7a61ebbd54e9dau},
	{769, 0x69c4de1eb65eu, 0x92e07396497e91fau}, {764, 0x6c2d9fd3d1a0u, 0x3fd43d88f8e28b06u},
	{760, 0x6e1df15ec6c1u, 0xbfbf899cf2b3bf62u}, {755, 0x708e07022ebdu, 0x3a77476879c6e9bau},
	{751, 0x7284472caa97u, 0x150fe371d52ac73bu}, {747, 0x747d35ffafe1u, 0x9ff60511b41874feu},
	{743, 0x7678dadae096u, 0xc28f5a9b58fcf36au}, {738, 0x78f74455941fu, 0x77628aa1aed816dau},
	{734, 0x7af91e5838f0u, 0x21ff93949a1897d7u}, {730, 0x7cfdc7306d8au, 0x6e0b3707063401eeu},
	{726, 0x7f0546c46cd9u, 0x006e6a0421734ecbu}, {722, 0x810fa51bf65fu, 0xd7715c999d61ec43u},
	{718, 0x831cea610ceau, 0xfcbc0720b4bd04a9u}, {714, 0x852d1ee0ba90u, 0xc6b068d867f0a137u},
	{710, 0x87404b0bda35u, 0x9fc8376aa3177aa9u}, {707, 0x88d0a3dd3a32u, 0x9ddd8aed4002d8d1u},
	{703, 0x8ae916329156u, 0xc3d8ec0f3730c5b5u}, {699, 0x8d04982911deu, 0x57e89bfdfd50850fu},
	{695, 0x8f2332bf4becu, 0x21ea1d9a4a269f4fu}, {692, 0x90bc345861bfu, 0x3d52ef4c737fba4fu},
	{688, 0x92e050231df5u, 0x7d6fae441c09d762u}, {684, 0x95079e1a0382u, 0xdc796e36aa9ce90au},
	{681, 0x96a737448b23u, 0x3a75afa2ee85b4ceu}, {677, 0x98d4343ad9c1u, 0x7159b944f7fd7490u},
	{674, 0x9a781beb62fdu, 0x91cc298a148e6c9bu}, {670, 0x9caae63128f2u, 0x39530bdb6949301fu},
	{667, 0x9e53337ea493u, 0xfae191bb517326dau}, {664, 0x9ffd6a73a78eu, 0xaf354527d82c8215u},
	{660, 0xa238b5160413u, 0x106e404cabb76d60u}, {657, 0xa3e773ebaa4bu, 0x8ac51ba0be1d2b96u},
	{654, 0xa5982b6dccadu, 0x1e5ceadeaf2d2412u}, {650, 0xa7dc392f5addu, 0x49a43fc62b7e68feu},
	{647, 0xa9919c6c8763u, 0x8f0ea2c14542be34u}, {644, 0xab49080ecda5u, 0x3208c27c6780d92bu},
	{641, 0xad0280f245eau, 0x2333509b66cd3c87u}, {638, 0xaebe0c048ac0u, 0xf1aca97d800ce474u},
	{635, 0xb07bae450d80u, 0x38f246f32d48556cu}, {632, 0xb23b6cc56cc8u, 0x4c99bb324da7e047u},
	{629, 0xb3fd4ca9cd13u, 0xc1a3716ee61e8b3cu}, {626, 0xb5c153293365u, 0xf273f17a56f741a8u},
	{623, 0xb787858de227u, 0x1c9b8ebeb08a27ceu}, {620, 0xb94fe935b83eu, 0x3eb5ce31e481cd79u},
	{617, 0xbb1a83929279u, 0x690990c97740ce1bu}, {614, 0xbce75a2aaf55u, 0xc56c13816f9f47fcu},
	{611, 0xbeb672991539u, 0x3278e08894926a46u}, {608, 0xc087d28dfb2fu, 0xebb8ae4cceb0f622u},
	{605, 0xc25b7fcf3441u, 0x5c14e55f57801e97u}, {603, 0xc39492ec65b3u, 0x560cf075213259c7u},
	{600, 0xc56c23679b4du, 0x206e169535fb8bf5u}, {597, 0xc7461100f3efu, 0xb3399ff5ecc2621fu},
	{594, 0xc92261d140d4u, 0x2d2824e663a09708u}, {592, 0xca6143a49626u, 0xd8203dc2687fcf94u},
	{589, 0xcc419cf2e7dcu, 0x5667a12e8f2ffa5au}, {586, 0xce246a2f95a9u, 0x2894657bccd6cc96u},
	{584, 0xcf67a85fa1f8u, 0x9a045bb6e23138adu}, {581, 0xd14e9a892709u, 0x14021a5ed4886e2fu},
	{579, 0xd294a216aa30u, 0x47bf238e62a960e8u}, {576, 0xd47fcb8c0852u, 0xf0c0bfe9dbebf2e9u},
	{574, 0xd5c8a8df0b46u, 0xeb6e9feecf48100bu}, {571, 0xd7b81c7a7da2u, 0xbb617fbce26e5220u},
	{569, 0xd903dc4e9de0u, 0xeebfd9bca947e760u}, {566, 0xdaf7ad69f0b3u, 0x80e512eaa6b7bba8u},
	{564, 0xdc465cd155a9u, 0x0942b7579f0f8d3du}, {561, 0xde3e9f4a6f6eu, 0x25ea98a905535fc8u},
	{559, 0xdf904bb0e1afu, 0x1f063769ff82addeu}, {557, 0xe0e32deda81eu, 0x742a6951096ca152u},
	{554, 0xe2e1cb1ca47du, 0x25b2f4c70cdc341au}, {552, 0xe437bdbf5254u, 0x459c4d3a591ae685u},
	{550, 0xe58eee20cb7bu, 0x6c14bba7e1c43d2cu}, {547, 0xe7940f8af85fu, 0x38e9401182412b92u},
	{545, 0xe8ee64789415u, 0x7a036639e539f3deu}, {543, 0xea49ff5bf42bu, 0x0d792df81d37cb5cu},
	{541, 0xeba6e29cef27u, 0xa5fb806844c21e93u}, {538, 0xedb4a481eca5u, 0xc3765d30caea09a6u},
	{536, 0xef14c7605d60u, 0x654c308b454666dfu}, {534, 0xf0763b3e66d6u, 0x302f197ca2243528u},
	{532, 0xf1d902a37aaau, 0x50858383cb0ce23cu}, {530, 0xf33d201e5b57u, 0x35cfaf8e257842f8u},
	{527, 0xf555d36a2399u, 0x5432268e3e1dbfe2u}, {525, 0xf6bd537d1ac7u, 0x853aebcc32577810u},
	{523, 0xf82632d4c1e5u, 0xa98e1e42b5187dd4u}, {521, 0xf99074222d94u, 0xcf6b3e0185a1db65u},
	{519, 0xfafc1a1e65e8u, 0xb5b34f416175b3c4u}, {517, 0xfc69278a85d7u, 0x54e95c6a4ad83e74u},
	{515, 0xfdd79f2fdb44u, 0x5e40827a211c5e3cu}, {512, 0x1000000000000u, 0x0000000000000000u},
};

/* 2^(j / 128) in Q63. */
static const uint64_t root[128] = {
	0x8000000000000000u, 0x80b1ed4fd999ab6cu, 0x8164d1f3bc030773u, 0x8218af4373fc25ecu, 0x82cd8698ac2ba1d7u,
	0x8383594eefb6ee37u, 0x843a28c3acde4046u, 0x84f1f656379c1a29u, 0x85aac367cc487b15u, 0x8664915b923fba04u,
	0x871f61969e8d1010u, 0x87db357ff698d792u, 0x88980e8092da8527u, 0x8955ee03618e5fddu, 0x8a14d575496efd9au,
	0x8ad4c6452c728924u, 0x8b95c1e3ea8bd6e7u, 0x8c57c9c4646f4ddeu, 0x8d1adf5b7e5ba9e6u, 0x8ddf042022e69cd6u,
	0x8ea4398b45cd53c0u, 0x8f6a8117e6c8e5c4u, 0x9031dc431466b1dcu, 0x90fa4c8beee4b12bu, 0x91c3d373ab11c336u,
	0x928e727d9531f9acu, 0x935a2b2f13e6e92cu, 0x9426ff0fab1c04b6u, 0x94f4efa8fef70961u, 0x95c3fe86d6cc7fefu,
	0x96942d3720185a00u, 0x97657d49f17ab08eu, 0x9837f0518db8a96fu, 0x990b87e266c189aau, 0x99e0459320b7fa65u,
	0x9ab62afc94ff864au, 0x9b8d39b9d54e5539u, 0x9c6573682ec32c2du, 0x9d3ed9a72cffb751u, 0x9e196e189d472420u,
	0x9ef5326091a111aeu, 0x9fd228256400dd06u, 0xa0b0510fb9714fc2u, 0xa18faeca8544b6e4u, 0xa27043030c496819u,
	0xa3520f68e802bb93u, 0xa43515ae09e6809eu, 0xa5195786be9ef339u, 0xa5fed6a9b15138eau, 0xa6e594cfeee86b1eu,
	0xa7cd93b4e965356au, 0xa8b6d5167b320e09u, 0xa9a15ab4ea7c0ef8u, 0xaa8d2652ec907629u, 0xab7a39b5a93ed337u,
	0xac6896a4be3fe929u, 0xad583eea42a14ac6u, 0xae493452ca35b80eu, 0xaf3b78ad690a4375u, 0xb02f0dcbb6e04584u,
	0xb123f581d2ac2590u, 0xb21a31a66618fe3bu, 0xb311c412a9112489u, 0xb40aaea2654b9841u, 0xb504f333f9de6484u,
	0xb60093a85ed5f76cu, 0xb6fd91e328d17791u, 0xb7fbefca8ca41e7cu, 0xb8fbaf4762fb9ee9u, 0xb9fcd2452c0b9debu,
	0xbaff5ab2133e45fbu, 0xbc034a7ef2e9fb0du, 0xbd08a39f580c36bfu, 0xbe0f6809860993e2u, 0xbf1799b67a731083u,
	0xc0213aa1f0d08db0u, 0xc12c4cca66709456u, 0xc238d2311e3d6673u, 0xc346ccda24976407u, 0xc4563ecc5334cb33u,
	0xc5672a115506daddu, 0xc67990b5aa245f79u, 0xc78d74c8abb9b15du, 0xc8a2d85c8ffe2c45u, 0xc9b9bd866e2f27a3u,
	0xcad2265e4290774eu, 0xcbec14fef2727c5du, 0xcd078b86503dcdd2u, 0xce248c151f8480e4u, 0xcf4318cf191918c1u,
	0xd06333daef2b2595u, 0xd184df6251699ac6u, 0xd2a81d91f12ae45au, 0xd3ccf099859ac379u, 0xd4f35aabcfedfa1fu,
	0xd61b5dfe9f9bce07u, 0xd744fccad69d6af4u, 0xd870394c6db32c84u, 0xd99d15c278afd7b6u, 0xdacb946f2ac9cc72u,
	0xdbfbb797daf23755u, 0xdd2d818508324c20u, 0xde60f4825e0e9124u, 0xdf9612deb8f04420u, 0xe0ccdeec2a94e111u,
	0xe2055afffe83d369u, 0xe33f8972be8a5a51u, 0xe47b6ca0373da88du, 0xe5b906e77c8348a8u, 0xe6f85aaaee1fce22u,
	0xe8396a503c4bdc68u, 0xe97c38406c4f8c57u, 0xeac0c6e7dd24392fu, 0xec0718b64c1cbddcu, 0xed4f301ed9942b84u,
	0xee990f980da3025bu, 0xefe4b99bdcdaf5cbu, 0xf13230a7ad094509u, 0xf281773c59ffb13au, 0xf3d28fde3a641a5bu,
	0xf5257d152486cc2cu, 0xf67a416c733f846eu, 0xf7d0df730ad13bb9u, 0xf92959bb5dd4ba74u, 0xfa83b2db722a033au,
	0xfbdfed6ce5f09c49u, 0xfd3e0c0cf486c175u, 0xfe9e115c7b8f884cu,
};

/* log2(e) = LOG2E_HIGH / 2^62 + LOG2E_LOW / 2^124. */
#define LOG2E_HIGH 0x5c551d94ae0bf85du
#define LOG2E_LOW 0x37d0ffda0d23a7d1u
#define LN2_Q64 0xb17217f7d1cf79acu

/* log2(e) / (j + 2) in Q62, signs alternate in the evaluation. */
static const int64_t log_series[] = {
	0x2e2a8eca5705fc2fll, 0x1ec709dc3a03fd75ll, 0x171547652b82fe17ll, 0x12776c50ef9bfe79ll,
	0xf6384ee1d01feball, 0xd30bb153d6f6ca0ll, 0xb8aa3b295c17f0cll, 0xa42589ebe01547cll,
	0x93bb62877cdff3dll, 0x864d424ca011694ll,
};
#define SERIES 10
/* ln(2)^k / k! in Q64, k = 1..8. */
static const uint64_t exp_series[] = {
	0xb17217f7d1cf79acu, 0x3d7f7bff058b1d51u, 0xe35846b82505fc6u, 0x276556df749cee5u,
	0x5761ff9e299cc4u, 0xa184897c363c4u, 0xffe5fe2c4586u, 0x162c0223a5c8u,
};
/* clang-format on */

/* (a * b) >> 64 */
static uint64_t high64(uint64_t a, uint64_t b)
{
	return (uint64_t)(((u128)a * b) >> 64);
}

/* m * 2^(e - 63), m's top bit set, rounded to nearest, ties to even. */
static double compose(uint64_t m, int e)
{
	uint64_t kept = m >> 11, rest = m & 0x7ff, bits;
	double d;
	kept += rest > 0x400 || (rest == 0x400 && (kept & 1));
	if (kept >> 53) {
		kept >>= 1;
		e++;
	}
	assert(e >= -1022 && e <= 1023);
	bits = ((uint64_t)(e + 1023) << 52) | (kept & (((uint64_t)1 << 52) - 1));
	memcpy(&d, &bits, 8);
	return d;
}

/* Split a normal double into 53-bit mantissa and the exponent of its leading bit. */
static uint64_t decompose(double x, int *e)
{
	uint64_t bits;
	memcpy(&bits, &x, 8);
	*e = (int)((bits >> 52) & 0x7ff) - 1023;
	assert(*e > -1023 && *e < 1024);
	return (bits & (((uint64_t)1 << 52) - 1)) | ((uint64_t)1 << 52);
}

/* log2(x) in Q112. */
static i128 log2_q112(double x)
{
	int e;
	uint64_t m = decompose(x, &e);
	const struct reciprocal *r = &reciprocal[(m >> 45) & 127];
	int64_t z = (int64_t)(m * r->k) - ((int64_t)1 << 62); /* Q62 */
	uint64_t square = (uint64_t)(((u128)((i128)z * z)) >> 46); /* Q78 */
	int64_t q = log_series[SERIES - 1];
	for (int j = SERIES - 2; j >= 0; j--)
		q = log_series[j] - (int64_t)(((i128)z * q) >> 62);
	i128 sum = (i128)e * ((i128)1 << 112) + (i128)(((u128)r->high << 64) | r->low);
	sum += ((i128)z * (int64_t)LOG2E_HIGH) >> 12;
	sum += ((i128)z * (int64_t)LOG2E_LOW) >> 74;
	return sum - (i128)(((u128)square * (uint64_t)q) >> 28);
}

/* 2^(p / 2^64) */
static double exp2_q64(i128 p)
{
	int n = (int)(p >> 64);
	uint64_t fraction = (uint64_t)p, base = root[fraction >> 57], r = fraction & (((uint64_t)1 << 57) - 1);
	uint64_t s = exp_series[7];
	for (int k = 6; k >= 0; k--)
		s = exp_series[k] + high64(r, s);
	uint64_t less_one = high64(r << 7, s); /* 2^r - 1 in Q71 */
	u128 m = (u128)base + (((u128)base * less_one) >> 71);
	return compose(m >> 64 ? UINT64_MAX : (uint64_t)m, n);
}

double wl_pow(double x, double y)
{
	int e;
	assert(x > 0 && y > -0x1p31 && y < 0x1p31);
	if (y == 0 || x == 1)
		return 1;
	i128 l = log2_q112(x);
	bool negative = (l < 0) != (y < 0);
	u128 a = l < 0 ? -(u128)l : (u128)l;
	uint64_t m = decompose(y < 0 ? -y : y, &e);
	u128 s = (u128)m * (uint64_t)(a >> 64) + high64(m, (uint64_t)a); /* in units of 2^(e - 100) */
	int shift = 36 - e;
	assert(shift > 0);
	s = shift > 127 ? 0 : s >> shift;
	assert(s >> 64 < 1024);
	return exp2_q64(negative ? -(i128)s : (i128)s);
}

double wl_log(double x)
{
	assert(x > 0);
	i128 l = log2_q112(x);
	if (l == 0)
		return 0;
	u128 a = l < 0 ? -(u128)l : (u128)l;
	int top = a >> 64 ? 127 - __builtin_clzll((uint64_t)(a >> 64)) : 63 - __builtin_clzll((uint64_t)a);
	uint64_t m = (uint64_t)(top >= 63 ? a >> (top - 63) : a << (63 - top));
	u128 product = (u128)m * LN2_Q64; /* m / 2^63 in [1, 2), LN2_Q64 / 2^64 in [1/2, 1) */
	int up = (int)(product >> 127);
	double d = compose((uint64_t)(product >> (up ? 64 : 63)), top - 112 - 1 + up);
	return l < 0 ? -d : d;
}

/* sum of i^-theta for from < i <= to, from large: the integral and the ends by halves. The next term of the formula,
 * theta / 12 * from^(-theta - 1), is below one rounding of the sum. */
static double zeta_tail(double from, double to, double theta)
{
	double power = 1 - theta, a = wl_pow(from, -theta), b = wl_pow(to, -theta);
	double area = power == 0 ? wl_log(to) - wl_log(from) : (to * b - from * a) / power;
	return area + (b - a) / 2;
}

double wl_zeta(uint64_t from, uint64_t to, double theta, double sum)
{
	/* A counter that grows by one at a time stays with single terms, wherever it is. */
	uint64_t exact = from + 1 >= to ? to : to < WL_ZETA_EXACT ? to : WL_ZETA_EXACT;
	for (; from < exact; from++)
		sum += 1 / wl_pow((double)(from + 1), theta);
	return from < to ? sum + zeta_tail((double)from, (double)to, theta) : sum;
}
