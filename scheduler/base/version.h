/* What was built: version, commit, and the libraries it was compiled against. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

const char *version_text(void);  /* "0.1.0" */
const char *version_build(void); /* "0.1.0+833182b9c2aa": version and commit */
/* "openmpi", "4.1.4", "pmix", ...: pairs, ends with NULL */
const char *const *version_libraries(void);

#endif
