# What `cmake --install` copies: the programs side by side (gridmill looks for its runner beside
# itself), the plugin ABI with what builds a kernel against it (CMake, pkg-config, the example),
# man pages, completion, guides and jobspecs. Nothing in it knows where it was installed: the
# prefix may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(GRIDMILL_PACKAGE ${CMAKE_SOURCE_DIR}/scripts/cmake/package)
set(GRIDMILL_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/gridmill)
set(GRIDMILL_PCDIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS gridmill gridmill-runner RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY plugins/include/gridmill DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES docs/man/gridmill.1 docs/man/gridmill-runner.1
        DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/man/gridmill-jobspec.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(DIRECTORY jobspecs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/gridmill/jobspecs
        PATTERN "*.h5" EXCLUDE PATTERN "*.h5.old" EXCLUDE PATTERN "*.gm" EXCLUDE
        PATTERN "*.summary.json" EXCLUDE)
install(DIRECTORY plugins/example DESTINATION ${CMAKE_INSTALL_DATADIR}/gridmill
        FILES_MATCHING PATTERN "*.c" PATTERN "*.cpp" PATTERN "*.yaml" PATTERN "CMakeLists.txt"
        PATTERN "build" EXCLUDE)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES docs/schema/summary-1.json DESTINATION ${CMAKE_INSTALL_DATADIR}/gridmill/schema)
install(DIRECTORY docs/guide DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")

# The number stands once, in the header.
file(STRINGS plugins/include/gridmill/kernel.h GRIDMILL_KERNEL_ABI
     REGEX "^#define GM_KERNEL_ABI [0-9]+u$")
string(REGEX REPLACE ".* ([0-9]+)u" "\\1" GRIDMILL_KERNEL_ABI "${GRIDMILL_KERNEL_ABI}")

configure_package_config_file(${GRIDMILL_PACKAGE}/gridmillConfig.cmake.in
  ${CMAKE_BINARY_DIR}/package/gridmillConfig.cmake INSTALL_DESTINATION ${GRIDMILL_CMAKEDIR}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/gridmillConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
file(RELATIVE_PATH GRIDMILL_PC_TO_PREFIX /prefix/${GRIDMILL_PCDIR} /prefix)
string(REGEX REPLACE "/$" "" GRIDMILL_PC_TO_PREFIX "${GRIDMILL_PC_TO_PREFIX}")
configure_file(${GRIDMILL_PACKAGE}/gridmill.pc.in ${CMAKE_BINARY_DIR}/package/gridmill.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/package/gridmillConfig.cmake
              ${CMAKE_BINARY_DIR}/package/gridmillConfigVersion.cmake
        DESTINATION ${GRIDMILL_CMAKEDIR})
install(FILES ${CMAKE_BINARY_DIR}/package/gridmill.pc DESTINATION ${GRIDMILL_PCDIR})

# Completion is what the program says of itself; one that runs elsewhere cannot be asked here.
if(NOT CMAKE_CROSSCOMPILING)
  foreach(shell bash zsh)
    add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/completion/${shell}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/completion
      COMMAND gridmill help --completion ${shell} > ${CMAKE_BINARY_DIR}/completion/${shell}
      DEPENDS gridmill VERBATIM)
  endforeach()
  add_custom_target(completion ALL DEPENDS ${CMAKE_BINARY_DIR}/completion/bash
                                           ${CMAKE_BINARY_DIR}/completion/zsh)
  install(FILES ${CMAKE_BINARY_DIR}/completion/bash RENAME gridmill
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${CMAKE_BINARY_DIR}/completion/zsh RENAME _gridmill
          DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
endif()
