/* pagelab.c - the command. */
#include "harness/command.h"

int main(int argc, char **argv)
{
	return pagelab_main(argc, argv);
}
