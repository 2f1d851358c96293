/* Runs a fuzz target over stored inputs, one file after another: what a build without
 * libFuzzer has for a main. Arguments are files and folders (with what is in them). */
#include "base/auto.h"
#include "base/file.h"
#include "fuzz.h"
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

enum { LARGEST_INPUT = 16 << 20 };

static const char *running;

/* A check that failed has aborted: which input was it? */
static void name_input(int sig)
{
    static const char before[] = "  on the input ";
    (void)sig;
    if (running != NULL && write(2, before, sizeof(before) - 1) > 0 &&
        write(2, running, strlen(running)) > 0)
        (void)!write(2, "\n", 1);
}

static unsigned run_file(const char *path)
{
    AUTO_FREE(char) text = NULL;
    size_t len = 0;
    struct gm_error err = {0};
    if (file_read(path, LARGEST_INPUT, &text, &len, &err) != 0) {
        (void)fprintf(stderr, "fuzz: %s\n", err.text);
        exit(2);
    }
    /* no terminator behind it, as libFuzzer has it */
    uint8_t *bytes = malloc(len > 0 ? len : 1);
    if (bytes == NULL)
        abort();
    if (len > 0)
        memcpy(bytes, text, len);
    running = path;
    (void)LLVMFuzzerTestOneInput(bytes, len);
    running = NULL;
    free(bytes);
    return 1;
}

static unsigned run_folder(const char *path)
{
    unsigned n = 0;
    DIR *dir = opendir(path);
    if (dir == NULL) {
        (void)fprintf(stderr, "fuzz: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char file[4096];
        struct stat st;
        int len = snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        if (len > 0 && (size_t)len < sizeof(file) && stat(file, &st) == 0 &&
            S_ISREG(st.st_mode))
            n += run_file(file);
    }
    (void)closedir(dir);
    return n;
}

int main(int argc, char **argv)
{
    unsigned n = 0;
    (void)signal(SIGABRT, name_input);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        bool folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
        n += folder ? run_folder(argv[i]) : run_file(argv[i]);
    }
    printf("%u inputs\n", n);
    return n > 0 ? 0 : 1; /* no input is no test */
}
