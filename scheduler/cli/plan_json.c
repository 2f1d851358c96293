/* gridmill plan --json: schema gridmill.dryrun/2, as gridmill(1) has it. */
#include "engine/inwords.h"
#include "plan_views.h"

static void put_strings(struct json *j, const char *key, const char *const *texts)
{
    json_key(j, key);
    json_begin(j, '[');
    for (; texts != NULL && *texts != NULL; texts++)
        json_string(j, *texts);
    json_end(j, ']');
}

static void put_machine(struct json *j, const struct machine *m)
{
    json_key(j, "machine");
    json_begin(j, '{');
    json_put_string(j, "name", m->name);
    json_put_bool(j, "what_if", m->name != NULL);
    json_key(j, "hosts");
    json_begin(j, '[');
    for (unsigned h = 0; h < m->at.tree->n_hosts; h++) {
        const struct topo_shape *s = restree_shape(m->at.tree, h);
        json_begin(j, '{');
        json_put_string(j, "name", m->at.tree->hosts[h].name);
        json_put_string(j, "topology", s->digest);
        json_put_int(j, "cores", s->n_cores);
        json_put_int(j, "pus", s->n_pus);
        json_put_int(j, "gpus", s->n_gpus);
        json_end(j, '}');
    }
    json_end(j, ']');
    json_end(j, '}');
}

static void put_ranks(struct json *j, const struct plan *plan)
{
    json_key(j, "ranks");
    json_begin(j, '[');
    for (unsigned i = 0; i < plan->n_ranks; i++) {
        const struct plan_rank *r = &plan->ranks[i];
        json_begin(j, '{');
        json_put_int(j, "rank", i);
        json_put_string(j, "host", r->host);
        json_put_string(j, "cpus", r->cpus);
        json_put_string(j, "gpus", r->gpus);
        json_put_string(j, "mems", r->mems != NULL ? r->mems : "");
        json_put_int(j, "threads", r->threads);
        json_put_string(j, "reason", r->reason);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void
put_stages(struct json *j, const struct jobspec *spec, const struct plan *plan)
{
    json_key(j, "stages");
    json_begin(j, '[');
    for (unsigned i = 0; i < spec->n_stages; i++) {
        const struct jobspec_stage *s = &spec->stages[i];
        json_begin(j, '{');
        json_put_string(j, "name", s->name);
        json_put_string(j, "kernel", s->kernel != NULL ? s->kernel->name : NULL);
        json_put_int(j, "tasks", (int64_t)plan_n_tasks(plan, spec, i));
        json_put_int(j, "group", s->group);
        json_key(j, "needs");
        json_begin(j, '[');
        for (unsigned k = 0; k < s->n_needs; k++)
            json_string(j, spec->stages[s->needs[k].stage].name);
        json_end(j, ']');
        json_end(j, '}');
    }
    json_end(j, ']');
}

void plan_put_score(struct json *j, const struct jobspec *spec, const struct score *s)
{
    json_key(j, "score");
    if (jobspec_seated(spec)) {
        json_null(j);
        return;
    }
    json_begin(j, '{');
    json_put_double(j, "total", s->total);
    json_key(j, "terms");
    json_begin(j, '{');
    for (unsigned t = 0; t < SCORE_N_TERMS; t++)
        json_put_double(j, score_term_name((enum score_term)t), s->term[t]);
    json_end(j, '}');
    json_end(j, '}');
}

static void put_launch(struct json *j, const struct plan_view *v)
{
    const struct launch_line *line = v->line;
    AUTO_FREE(char) text = launch_line_format(line);
    AUTO_STR words = {0};
    json_key(j, "launch");
    json_begin(j, '{');
    json_put_string(j, "launcher", v->machine->at.backend->name);
    json_put_string(j, "line", text);
    inwords_find(v->spec, v->machine->at.tree, v->mapping->at, &words);
    json_put_string(j, "same_words", words.len > 0 ? words.text : NULL);
    put_strings(j, "argv", line->argv);
    put_strings(j, "env", line->env);
    json_put_string(j, "rankfile", line->rankfile);
    json_key(j, "flags");
    json_begin(j, '[');
    for (unsigned i = 0; i < line->n_flags; i++) {
        json_begin(j, '{');
        json_put_string(j, "text", line->flags[i].text);
        json_put_string(j, "reason", line->flags[i].reason);
        json_end(j, '}');
    }
    json_end(j, ']');
    json_end(j, '}');
}

int plan_json(const struct plan_view *v)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.dryrun/2");
    json_put_string(&j, "name", v->spec->name);
    json_put_string(&j, "results", v->plan->results);
    put_machine(&j, v->machine);
    json_put_string(&j, "mapping", v->plan->mapping);
    json_put_bool(&j, "oversubscribed", v->plan->oversubscribe);
    json_put_string(&j, "binder", plan_binder_name(v->plan->binder));
    plan_put_score(&j, v->spec, &v->mapping->score);
    put_ranks(&j, v->plan);
    put_stages(&j, v->spec, v->plan);
    put_launch(&j, v);
    json_end(&j, '}');
    terminal_print(j.out.text);
    return ENGINE_DONE;
}
