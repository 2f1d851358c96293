# What `cmake --install` copies: the programs side by side (gridmill looks for its runner beside
# itself), the plugin ABI, the man pages and the examples.
include(GNUInstallDirs)
install(TARGETS gridmill gridmill-runner RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY plugins/include/gridmill DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES docs/man/gridmill.1 docs/man/gridmill-runner.1
        DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/man/gridmill-jobspec.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(DIRECTORY jobspecs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/gridmill/jobspecs
        PATTERN "*.h5" EXCLUDE PATTERN "*.h5.old" EXCLUDE PATTERN "*.gm" EXCLUDE
        PATTERN "*.summary.json" EXCLUDE)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
