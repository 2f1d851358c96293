# OpenMP for the operators (kernels/): a feature of the compiler, used where it is there. Not
# under the thread sanitizer, which does not see libgomp's own synchronisation.
set(GRIDMILL_OPENMP "AUTO" CACHE STRING "threads inside a rank: AUTO, ON or OFF")
set_property(CACHE GRIDMILL_OPENMP PROPERTY STRINGS AUTO ON OFF)
set(GRIDMILL_OPENMP_LEAST 4.5)

if(NOT GRIDMILL_OPENMP STREQUAL "OFF" AND NOT GRIDMILL_SANITIZE MATCHES "thread")
  find_package(OpenMP COMPONENTS C)
  if(OpenMP_C_FOUND AND OpenMP_C_VERSION VERSION_LESS GRIDMILL_OPENMP_LEAST)
    set(OpenMP_C_FOUND FALSE)
  endif()
  if(NOT OpenMP_C_FOUND AND GRIDMILL_OPENMP STREQUAL "ON")
    message(FATAL_ERROR "GRIDMILL_OPENMP=ON, but ${CMAKE_C_COMPILER} has no OpenMP "
                        "${GRIDMILL_OPENMP_LEAST}: apt-get install gcc")
  endif()
endif()

# What is linked by it may use OpenMP's pragmas; without OpenMP they, and variables that only
# they name, are skipped quietly.
add_library(gm_openmp INTERFACE)
if(OpenMP_C_FOUND)
  message(STATUS "OpenMP ${OpenMP_C_VERSION}")
  target_link_libraries(gm_openmp INTERFACE OpenMP::OpenMP_C)
else()
  message(STATUS "OpenMP: none; a rank computes on one thread")
  target_compile_options(gm_openmp INTERFACE
    "$<$<COMPILE_LANGUAGE:C>:-Wno-unknown-pragmas;-Wno-unused-variable>")
endif()
