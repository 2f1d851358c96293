/* What the files that read a jobspec share: one struct load from the document to the
 * spec.
 *
 *   jobspec.c  documents -> jobs             keys.c    the job's own keys
 *   stage.c    a stage's keys               matrix.c  axes
 *   sources.c  files that are looked at     refs.c    ${...} in texts
 *   args.c     a kernel's arguments         needs.c   the graph of stages
 *   sets.c     --set                        value.c   text and numbers -> typed values
 *   placing.c  where ranks stand            telling.c who is told what came of it
 *   plugin.c   kernels from files           words.c   what keys there are
 *   cut.c      data sets cut into tasks     paths.c   paths made of axis values
 *   pattern.c  who speaks to whom           running.c  how tasks run
 *   runnable.c what cannot be done yet      ending.c   how a launch ends
 *
 * Three passes over the stages: heads (name, kernel or command), so that references can
 * name any stage; shapes (matrix, shards, group), so that they can count tasks; links
 * (args, command, env, needs). Every reader adds its faults and goes on. */
#ifndef SPEC_LOAD_H
#define SPEC_LOAD_H

#include "base/strmap.h"
#include "doc.h"
#include "faults.h"
#include "spec/jobspec.h"
#include "words.h"

#define LOAD_MAX_AXES 64u

struct load_stage {
    struct jobspec_stage *s;
    const struct doc_node *map;
    const struct fault_path *at; /* in the arena */
    bool bad_kernel, bad_shape;  /* told already: what follows from it is not */
    struct jobspec_need *needs;
    unsigned n_needs;
};

/* Where a stage's need of another stands, so that repeats are found at once. */
struct load_slot {
    const struct load_stage *owner;
    unsigned at;
};

struct view;

struct load {
    struct arena *arena; /* the jobspec's */
    const struct jobspec_options *opt;
    struct jobspec_faults *faults;
    struct jobspec *spec;
    struct jobspec_stage *stages;
    struct load_stage *heads; /* one a stage */
    unsigned n_stages;
    struct strmap *stage_index;
    struct load_slot *need_slots; /* one a stage */
    struct jobspec_source *sources;
    unsigned n_sources;
    struct strmap *source_index, *known_index;
    struct jobspec_fault *cannot; /* doubles as `sources` does */
    unsigned n_cannot;
    struct dso **dsos;
    struct plugin_list *plugins; /* of options.plugin_path; NULL: not looked at yet */
    unsigned n_dsos;
    const struct view *view; /* a canonical document read as a short form; or NULL */
};

/* faults */

/* At a value. One that a --set made is told as "--set ranks=x: ranks: ...". */
GM_PRINTF(4, 5)
void load_fault(struct load *l,
                const struct fault_path *at,
                const struct doc_node *node,
                const char *fmt,
                ...);
GM_PRINTF(4, 5)
void load_warn(struct load *l,
               const struct fault_path *at,
               const struct doc_node *node,
               const char *fmt,
               ...);
/* Something that can be said but not done yet: no fault; plan and run refuse it
 * (jobspec_check_runnable). */
GM_PRINTF(4, 5)
void load_cannot(struct load *l,
                 const struct fault_path *at,
                 const struct doc_node *node,
                 const char *fmt,
                 ...);
/* "; did you mean 'ranks'?" or ""; buf holds 128 bytes. */
const char *
load_hint(const char *word, const char *const *candidates, size_t n, char buf[128]);

/* Words: what is known stands in words.h alone. */
void load_unknown_key(struct load *l,
                      const struct fault_path *at,
                      const struct doc_node *item,
                      const struct words *known);
/* Tells every key that is not known; false when `map` is no map (told). */
bool load_check_keys(struct load *l,
                     const struct fault_path *at,
                     const struct doc_node *map,
                     const struct words *known);
/* The number of the word's choice that the node is; -1: none of them (told, with all and
 * the nearest). */
int load_choice(struct load *l,
                const struct fault_path *at,
                const struct doc_node *node,
                const struct word *word);

/* Values; false when the value is wrong (told). */
bool load_int(struct load *l,
              const struct fault_path *at,
              const struct doc_node *node,
              int64_t min,
              int64_t max,
              int64_t *ret);
bool load_bool(struct load *l,
               const struct fault_path *at,
               const struct doc_node *node,
               bool *ret);
/* A string that is not empty; borrowed from the document. */
bool load_text(struct load *l,
               const struct fault_path *at,
               const struct doc_node *node,
               const char **ret);
/* Seconds; 0: without limit ("inf" and 0). */
bool load_duration(struct load *l,
                   const struct fault_path *at,
                   const struct doc_node *node,
                   double *ret);
/* Letters, digits, '-', '_' (and '.' when `dots`), at most 100 of them. */
bool load_is_name(const char *text, bool dots);
/* Makes one of any text: what a name cannot hold becomes '_', and what is more than so
 * many bytes is cut off. "" of "" alone. */
char *load_make_name(struct arena *a, const char *text, size_t most, bool dots);

/* keys.c: every key of the job but `tasks` and a lone stage's. */
void keys_read(struct load *l, const struct doc_node *root);

/* A reader of one of the job's keys. */
typedef void
job_reader(struct load *l, const struct fault_path *at, const struct doc_node *node);
job_reader placing_mapping, placing_hosts, placing_constraints;
job_reader telling_results, telling_telemetry, telling_notify;
job_reader ending_grace, ending_on_loss;
job_reader pattern_key;
/* Once all keys are read: PE=n and cores say the same, where PEs are cores. */
void placing_settle(struct load *l, const struct doc_node *root);
/* Once the number of ranks is read: a stencil says it where the job does not. */
void pattern_settle(struct load *l, const struct doc_node *root);

/* sets.c: applies the --set texts to the document. */
void sets_apply(struct load *l, struct doc_node *root);
/* Adds "--set PATH=VALUE" when the node is one that a set made. */
void sets_prefix(const struct load *l, const struct doc_node *node, struct str *out);

/* stage.c */

/* The keys that may stand at the top level when there is one stage only. */
bool stage_is_key(const char *key);
void stage_heads(struct load *l,
                 const struct doc_node *root,
                 const struct doc_node *tasks);
void stage_shapes(struct load *l);
void stage_links(struct load *l);

/* A reader of one of a stage's keys. */
typedef void stage_reader(struct load *l,
                          struct load_stage *h,
                          const struct fault_path *at,
                          const struct doc_node *node);
/* running.c */
stage_reader running_crash_limit, running_checkpoint, running_priority,
    running_max_in_flight, running_cores, running_gpus, running_stdin, running_inherit,
    running_limits, running_output_limit;
/* What a stage is before its keys are read, in either form. */
void running_defaults(struct jobspec_stage *s);

/* matrix.c: axes and n_tasks of a stage. */
void matrix_read(struct load *l,
                 struct load_stage *h,
                 const struct fault_path *at,
                 const struct doc_node *node);
void matrix_count(struct load *l, struct load_stage *h);
/* Axis, shard dimensions and counts are the same: task i of one belongs to task i of the
 * other. */
bool matrix_same_shape(const struct jobspec_stage *a, const struct jobspec_stage *b);

/* cut.c */
void cut_read(struct load *l,
              struct load_stage *h,
              const struct fault_path *at,
              const struct doc_node *node);
/* Tells a ${shard.path} that would be several files where only one text can stand;
 * `word`: it is a whole word of a command. */
void cut_check_paths(struct load *l,
                     const struct load_stage *h,
                     const struct fault_path *at,
                     const struct doc_node *node,
                     const struct jobspec_template *t,
                     bool word);

/* paths.c: looks at every file that a text of axis values names; *ret_n is short after a
 * fault (told). */
const struct jobspec_source *const *paths_look(struct load *l,
                                               const struct jobspec_stage *s,
                                               const struct fault_path *at,
                                               const struct doc_node *node,
                                               const struct jobspec_template *t,
                                               uint32_t unit,
                                               unsigned *ret_n);
/* Which of paths_look's sources a task's axis values mean. */
uint64_t paths_index(const struct jobspec_stage *s,
                     const struct jobspec_template *t,
                     const uint64_t *axis_index);

/* plugin_stage.c: the kernel of "./FILE.so#NAME"; NULL: a fault (told). */
const struct gm_kernel *plugin_kernel(struct load *l,
                                      const struct fault_path *at,
                                      const struct doc_node *node,
                                      const char *text);
/* The kernel that is known by its name, from the plan's sources or the folders of
 * options.plugin_path. *ret NULL and 0: a fault (told); < 0 with why not, which may be
 * "".
 */
int plugin_named(struct load *l,
                 const struct fault_path *at,
                 const struct doc_node *node,
                 const char *name,
                 const struct gm_kernel **ret,
                 struct gm_error *err);
void plugin_forget(struct load *l);            /* what was looked at in folders */
void plugin_close(const struct jobspec *spec); /* all of them */
/* view.c: a canonical document as the short form that says the same. `job` NULL: it broke
 * Flux's rules, only the Gridmill part is shown; `part` NULL: it has none. */
struct flux_job;
struct doc_node *
view_make(struct load *l, const struct flux_job *job, const struct doc_node *part);
/* What Flux's rules have read already is taken as it is and out of the view, unless a
 * --set changed it. */
void view_settle(struct load *l, const struct flux_job *job, struct doc_node *view);
/* The path of a place in the short form -> where that stands in the document. */
void view_path(const struct load *l, const struct doc_node *node, struct str *path);

/* seated.c: a canonical job without a Gridmill part. `view`: its words that the short
 * form shares, with what --set made of them. */
void seated_read(struct load *l, const struct flux_job *job, const struct doc_node *view);
/* The job's name, or its program's, in letters that a name can hold. */
const char *seated_name(struct arena *a, const struct flux_job *job);

/* sources.c: looks at a path once, and keeps what was found. NULL: a fault (told). */
const struct jobspec_source *sources_add(struct load *l,
                                         const struct fault_path *at,
                                         const struct doc_node *node,
                                         const char *written,
                                         uint32_t unit);
/* The same of an absolute path, however it is written. */
const struct jobspec_source *sources_add_at(struct load *l,
                                            const struct fault_path *at,
                                            const struct doc_node *node,
                                            const char *path,
                                            const char *written,
                                            uint32_t unit);
/* `written` counted from `dir`, an HDF5 dataset's name kept; in `a`. */
const char *sources_absolute(struct arena *a, const char *dir, const char *written);

/* refs.c: cuts a text at its references and resolves each. False: a fault (told). Needs
 * that the references imply are added to the stage. */
bool refs_cut(struct load *l,
              struct load_stage *h,
              const struct fault_path *at,
              const struct doc_node *node,
              struct jobspec_template *ret);
/* The reference when the template is one whole, else NULL. */
const struct jobspec_ref *refs_whole(const struct jobspec_template *t);
bool refs_any(const struct jobspec_template *t);

/* args.c: the arguments of a kernel (node NULL: none are given). */
void args_read(struct load *l,
               struct load_stage *h,
               const struct fault_path *at,
               const struct doc_node *node);

/* needs.c */
void needs_read(struct load *l,
                struct load_stage *h,
                const struct fault_path *at,
                const struct doc_node *node);
void needs_add(struct load *l, struct load_stage *h, struct jobspec_need need);
void needs_check_cycles(struct load *l);
/* The stage of a name, or told with the nearest one. */
bool needs_find(struct load *l,
                const struct fault_path *at,
                const struct doc_node *node,
                const char *name,
                unsigned *ret);

#endif
