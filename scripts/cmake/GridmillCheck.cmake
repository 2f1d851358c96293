# `cmake --build --preset dev --target check`: all that judges sources without running them. A
# tool that is not installed is said and left out; the lints are tests too (tests/lint).
find_program(GRIDMILL_PYTHON3 NAMES python3)
find_program(GRIDMILL_CLANG_FORMAT NAMES clang-format)
find_program(GRIDMILL_CLANG_TIDY NAMES run-clang-tidy run-clang-tidy-14)
find_program(GRIDMILL_CPPCHECK NAMES cppcheck)

function(gridmill_check name tool)
  if(tool)
    add_custom_target(check-${name} COMMAND ${ARGN}
                      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM USES_TERMINAL)
  else()
    add_custom_target(check-${name} COMMAND ${CMAKE_COMMAND} -E echo
                      "check-${name}: left out, the tool is not installed" VERBATIM)
  endif()
  add_dependencies(check check-${name})
endfunction()

add_custom_target(check)
gridmill_check(format "${GRIDMILL_CLANG_FORMAT}"
  sh tests/lint/format.sh ${GRIDMILL_CLANG_FORMAT} .)
gridmill_check(includes "${GRIDMILL_PYTHON3}"
  ${GRIDMILL_PYTHON3} tests/lint/includes.py .)
gridmill_check(banned "${GRIDMILL_PYTHON3}"
  ${GRIDMILL_PYTHON3} tests/lint/banned.py .)
# Leaks: cppcheck does not know __attribute__((cleanup)); LeakSanitizer looks for them.
gridmill_check(cppcheck "${GRIDMILL_CPPCHECK}"
  ${GRIDMILL_CPPCHECK} --enable=warning,performance,portability --error-exitcode=1 --quiet
  --language=c --std=c11 --inline-suppr --suppress=memleak --suppress=resourceLeak
  -D__GNUC__=12 -D_GNU_SOURCE -I plugins/include -I scheduler -I .
  scheduler kernels plugins runner)
gridmill_check(tidy "${GRIDMILL_CLANG_TIDY}"
  ${GRIDMILL_CLANG_TIDY} -quiet -p ${CMAKE_BINARY_DIR} "/(scheduler|kernels|plugins|runner)/.*[.]c$")
