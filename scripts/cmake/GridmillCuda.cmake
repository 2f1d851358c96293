# CUDA is found here and built nowhere yet: GRIDMILL_CUDA_VERSION is told by `gridmill version`
# and `gridmill doctor`. AUTO takes a toolkit that is there; ON insists on one.
set(GRIDMILL_CUDA_VERSION "")
if(NOT GRIDMILL_CUDA STREQUAL "OFF")
  find_package(CUDAToolkit 11.8 QUIET)
  if(CUDAToolkit_FOUND)
    set(GRIDMILL_CUDA_VERSION ${CUDAToolkit_VERSION})
    message(STATUS "cuda ${GRIDMILL_CUDA_VERSION}")
  elseif(GRIDMILL_CUDA STREQUAL "AUTO")
    message(STATUS "cuda: no toolkit found, CPU only")
  else()
    message(FATAL_ERROR "GRIDMILL_CUDA=ON needs a CUDA toolkit 11.8 or newer, and none was found: "
                        "apt-get install nvidia-cuda-toolkit, or name one with "
                        "-DCUDAToolkit_ROOT=FOLDER, or build with -DGRIDMILL_CUDA=AUTO")
  endif()
endif()
