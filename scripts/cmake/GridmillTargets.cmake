# gridmill_library(NAME SOURCES a.c b.c LIBRARIES x y): one static library a folder.
# Includes are written from the folders' names: "base/str.h", "kernels/op/gemm.h",
# "gridmill/kernel.h"; a folder's own headers by their bare name.
function(gridmill_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/plugins/include
                             ${CMAKE_SOURCE_DIR}/scheduler ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${arg_LIBRARIES})
endfunction()

function(gridmill_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES})
endfunction()
