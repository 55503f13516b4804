# revision.cmake - write the header that tells results which revision and which flags made them. Run at every build, but
# the file is touched only if its content changes. -D OUT=..., -D ROOT=..., -D FLAGS=...
cmake_minimum_required(VERSION 3.22)
set(revision "unknown")
find_program(git git)
if(git)
  execute_process(COMMAND ${git} -C ${ROOT} describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(revision ${found})
  endif()
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define PAGELAB_REVISION \"${revision}\"\n#define PAGELAB_FLAGS \"${FLAGS}\"\n")
