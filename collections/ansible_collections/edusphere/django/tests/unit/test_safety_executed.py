"""The judgement against what happens: plans are judged, executed on PostgreSQL, and met by the models of before."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from depth import EXHAUSTIVE
from engine import ROOT
from hypothesis import HealthCheck, Phase, given, seed, settings

from .conftest import HOST_STACKS, USUAL, Cluster, Stack, exhaustive_on
from .plans import ID, examples

PROGRAM = pathlib.Path(__file__).with_name("execution.py")
POSTGRESQL = [stack for stack in HOST_STACKS if stack.engine == "postgresql"]
# What an execution shows, and the verdict that it asks for.
VERDICTS = {"fine": "compatible", "fails": "incompatible", "breaks": "incompatible", "locks": "incompatible"}
AUTHOR = (
    f"migrations.CreateModel('Author', [{ID}, ('name', models.CharField(max_length=20)),"
    " ('code', models.IntegerField(unique=True))])"
)


class Oracle:
    """execution.py, which goes on from one example to the next."""

    def __init__(self, cluster: Cluster, stack: Stack) -> None:
        self._cluster = cluster
        self._database = f"oracle_{os.getpid()}_{stack.django.replace('.', '_')}"
        cluster.create(self._database)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
        self._process = subprocess.Popen(
            [stack.python, PROGRAM, cluster.directory, self._database],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, example: dict[str, Any]) -> dict[str, Any]:
        """Return what becomes of an example."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(example) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert answer["outcome"] != "error", answer["detail"]
        return answer

    def close(self) -> None:
        """End it."""
        self._process.communicate()
        self._cluster.drop(self._database)


@pytest.fixture(scope="session")
def oracle(cluster: Cluster) -> Iterator[Callable[[Stack], Oracle]]:
    """Return the oracle of a stack."""
    found: dict[Stack, Oracle] = {}

    def of(stack: Stack) -> Oracle:
        if stack not in found:
            found[stack] = Oracle(cluster, stack)
        return found[stack]

    yield of
    for each in found.values():
        each.close()


@dataclass(frozen=True)
class Kind:
    """A plan, what it does when it is executed, and the verdict where that does not follow from it."""

    name: str
    outcome: str
    # The fields of the article, what follows them in its CreateModel, and the operations; None parts migrations.
    fields: str
    operations: tuple[str | None, ...]
    options: str = ""
    atomic: bool = True
    large: bool = False
    verdict: str = ""
    since: str = "4.2"
    # Words of a reason.
    words: str = ""
    setup: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    @property
    def example(self) -> dict[str, Any]:
        """What execution.py is asked."""
        plan: list[dict[str, Any]] = [{"atomic": self.atomic, "operations": []}]
        for operation in self.operations:
            if operation is None:
                plan.append({"atomic": self.atomic, "operations": []})
            else:
                plan[-1]["operations"].append(operation)
        article = f"migrations.CreateModel('Article', [{ID}, {self.fields}], options={{{self.options}}})"
        return {
            "initial": [AUTHOR, article, *self.more],
            "plan": plan,
            "large": self.large,
            "setup": list(self.setup),
        }


def add(name: str, definition: str) -> str:
    """Return an operation that adds a field."""
    return f"migrations.AddField('article', '{name}', models.{definition})"


def alter(name: str, definition: str, model: str = "article") -> str:
    """Return an operation that makes a field another one."""
    return f"migrations.AlterField('{model}', '{name}', models.{definition})"


def index(definition: str, kind: str = "migrations.AddIndex") -> str:
    """Return an operation that adds an index."""
    return f"{kind}('article', models.Index({definition}, name='i'))"


def check(condition: str, name: str = "later", kind: str = "migrations.AddConstraint") -> str:
    """Return an operation that adds a check."""
    return f"{kind}('article', Check({condition}, '{name}'))"


def unique(definition: str) -> str:
    """Return an operation that adds a unique constraint."""
    return f"migrations.AddConstraint('article', models.UniqueConstraint({definition}, name='u'))"


def sql(statement: str) -> str:
    """Return an operation that runs SQL."""
    return f"migrations.RunSQL({statement!r})"


def generated(expression: str, output: str, more: str = "") -> str:
    """Return an operation that adds a column which the database calculates."""
    return add("g", f"GeneratedField(expression={expression}, output_field=models.{output}, db_persist=True{more})")


TITLE = "('title', models.CharField(max_length=20))"
BODY = f"{TITLE}, ('body', models.TextField())"
N = f"{TITLE}, ('n', models.IntegerField())"
NULLABLE = f"{TITLE}, ('n', models.IntegerField(null=True))"
WRITER = f"{TITLE}, ('author', models.ForeignKey('shop.Author', models.CASCADE))"
NOTE = f"migrations.CreateModel('Note', [{ID}, ('article', models.ForeignKey('shop.Article', models.CASCADE))])"
REMARK = (
    f"migrations.CreateModel('Remark', [{ID}, ('kind', models.ForeignKey('contenttypes.ContentType', models.CASCADE)),"
    " ('number', models.IntegerField())])"
)
CHECKED = "'constraints': [Check(Q(n__gte=0), 'early')]"
DROP_CHECK = "migrations.RemoveConstraint('article', 'early')"
CONCURRENTLY = "postgres.AddIndexConcurrently"
NOT_VALID = "postgres.AddConstraintNotValid"
VALIDATE = "postgres.ValidateConstraint('article', 'later')"

KINDS = [
    # An entry of an index has a limit, and a text has none.
    Kind("index_on_text", "breaks", BODY, (index("fields=['body']"),), words="at most 2,704 bytes"),
    Kind("db_index_on_text", "breaks", BODY, (alter("body", "TextField(db_index=True)"),), words="2,704 bytes"),
    Kind("index_on_long_varchar", "breaks", "('title', models.CharField(max_length=3000))",
         (index("fields=['title']"),), words="2,704 bytes"),
    Kind("index_on_several_long_varchars", "breaks",
         "('title', models.CharField(max_length=400)), ('other', models.CharField(max_length=400))",
         (index("fields=['title', 'other']"),), words="2,704 bytes"),
    Kind("index_that_includes_text", "breaks", BODY, (index("fields=['title'], include=['body']"),)),
    Kind("index_on_json", "breaks", f"{TITLE}, ('data', models.JSONField())", (index("fields=['data']"),)),
    Kind("index_on_lower_text", "breaks", BODY, (index("Lower('body')"),)),
    Kind("index_on_short_varchar", "fine", BODY, (index("fields=['title']"),)),
    Kind("index_on_part_of_text", "fine", BODY, (index("Left('body', 40)"),)),
    Kind("index_on_hash_of_text", "fine", BODY, (index("MD5('body')"),)),
    Kind("hash_index_on_text", "fine", BODY, ("migrations.AddIndex('article', HashIndex(fields=['body'], name='i'))",)),
    Kind("gin_index_on_json", "fine", f"{TITLE}, ('data', models.JSONField())",
         ("migrations.AddIndex('article', GinIndex(fields=['data'], name='i'))",)),
    Kind("second_index_on_text", "fine", "('body', models.TextField(db_index=True))", (index("fields=['body']"),)),
    Kind("index_on_new_text", "fine", TITLE, (add("body", "TextField(null=True, db_index=True)"),)),
    Kind("index_on_text_that_goes_again", "fails", BODY,
         (index("fields=['body']"), "migrations.RemoveIndex('article', 'i')"),
         setup=("INSERT INTO shop_article (title, body) SELECT 'x', string_agg(md5(n::text), '')"
                " FROM generate_series(1, 900) n",)),
    # Columns that the database calculates.
    Kind("generated_unique", "fails", BODY, (generated("Upper('title')", "TextField()", ", unique=True"),), since="5.0",
         setup=("INSERT INTO shop_article (title, body) VALUES ('x', ''), ('x', '')",)),
    Kind("generated_narrower", "breaks", BODY, (generated("Upper('title')", "CharField(max_length=10)"),), since="5.0",
         words="may not fit its type varchar(10)"),
    Kind("generated_as_wide", "fine", BODY, (generated("Upper('title')", "CharField(max_length=20)"),), since="5.0"),
    Kind("generated_sum_of_texts", "breaks", BODY,
         (generated("Concat('title', Value('-'), 'title')", "CharField(max_length=40)"),), since="5.0"),
    Kind("generated_wide_sum_of_texts", "fine", BODY,
         (generated("Concat('title', Value('-'), 'title')", "CharField(max_length=41)"),), since="5.1"),
    Kind("generated_part", "fine", BODY, (generated("Left('body', 5)", "CharField(max_length=5)"),), since="5.0"),
    Kind("generated_case", "fine", N,
         (generated("Case(When(n__gt=3, then=Value('many')), default=Value('few'))", "CharField(max_length=4)"),),
         since="5.0"),
    Kind("generated_beyond_its_range", "breaks", N, (generated("F('n') + 1", "IntegerField()"),), since="5.0"),
    Kind("generated_within_its_range", "fine", "('n', models.SmallIntegerField())",
         (generated("F('n') + 1", "IntegerField()"),), since="5.0"),
    Kind("generated_source_is_widened", "fails", f"{TITLE}, ('g', models.GeneratedField(expression=Upper('title'),"
         " output_field=models.TextField(), db_persist=True))",
         (alter("title", "CharField(max_length=30)"),), since="5.0", words="can't be applied"),
    # Defaults.
    Kind("db_default_none", "fails", TITLE, (add("n", "IntegerField(db_default=None)"),), since="5.0"),
    Kind("db_default_none_where_null", "fine", TITLE, (add("n", "IntegerField(db_default=None, null=True)"),),
         since="5.0"),
    Kind("db_default_too_long", "fails", TITLE, (add("new", "CharField(max_length=3, db_default='longer')"),),
         since="5.0", words="does not fit"),
    Kind("db_default_that_fits", "fine", TITLE, (add("new", "CharField(max_length=6, db_default='longer')"),),
         since="5.0"),
    Kind("default_that_becomes_db_default", "fine", TITLE,
         (add("new", "CharField(max_length=5, default='x')"), alter("new", "CharField(max_length=5, db_default='x')")),
         since="5.0"),
    Kind("default_that_becomes_db_default_later", "breaks", TITLE,
         (add("new", "CharField(max_length=5, default='x')"), None,
          alter("new", "CharField(max_length=5, db_default='x')")), since="5.0"),
    Kind("default_that_sql_keeps", "fine", TITLE,
         (add("new", "CharField(max_length=5, default='x')"),
          sql("ALTER TABLE shop_article ALTER COLUMN new SET DEFAULT 'x'"))),
    Kind("not_null_without_default", "fails", TITLE, (add("new", "IntegerField()"),)),
    Kind("not_null_that_gets_a_default_too_late", "fails", TITLE,
         (add("new", "IntegerField()"), alter("new", "IntegerField(db_default=1)")), since="5.0",
         words="can't be applied"),
    Kind("volatile_default", "fine", TITLE, (add("new", "FloatField(db_default=Random())"),), since="5.0"),
    Kind("volatile_default_of_a_large_table", "locks", TITLE, (add("new", "FloatField(db_default=Random())"),),
         since="5.0", large=True, words="the table is rewritten"),
    Kind("stable_default_of_a_large_table", "fine", TITLE, (add("new", "DateTimeField(db_default=Now())"),),
         since="5.0", large=True),
    # What is unique.
    Kind("nulls_not_distinct", "breaks", f"{TITLE}, ('n', models.IntegerField(null=True, unique=True))",
         (unique("fields=['n'], nulls_distinct=False"),), since="5.0",
         setup=("DELETE FROM shop_article",)),
    Kind("nulls_not_distinct_without_null", "fine", f"{TITLE}, ('n', models.IntegerField(unique=True))",
         (unique("fields=['n'], nulls_distinct=False"),), since="5.0"),
    Kind("unique_already", "fine", f"{TITLE}, ('n', models.IntegerField(null=True, unique=True))",
         (unique("fields=['n', 'title']"),)),
    # The name of a model is what content types are found by.
    Kind("rename_model_with_generic_relations", "breaks", TITLE, ("migrations.RenameModel('Article', 'Text')",),
         "'db_table': 'articles'", more=(REMARK,), words="content type"),
    Kind("rename_model_without_generic_relations", "fine", TITLE, ("migrations.RenameModel('Article', 'Text')",),
         "'db_table': 'articles'"),
    # Locks.
    Kind("foreign_key_is_made_again", "locks", WRITER,
         (alter("author", "ForeignKey('shop.Author', models.CASCADE, null=True)"),), large=True,
         words="the foreign key"),
    Kind("foreign_key_is_as_it_was", "fine", WRITER,
         (alter("author", "ForeignKey('shop.Author', models.CASCADE, related_name='x')"),), large=True),
    Kind("foreign_key_is_made_again_on_a_small_table", "fine", WRITER,
         (alter("author", "ForeignKey('shop.Author', models.CASCADE, null=True)"),)),
    Kind("key_is_widened_that_others_refer_to", "locks", TITLE, (alter("id", "BigAutoField(primary_key=True)"),),
         large=True, more=(alter("id", "AutoField(primary_key=True)"), NOTE), words="rewritten"),
    Kind("check_of_new_positive", "locks", TITLE, (add("n", "PositiveIntegerField(null=True)"),), large=True,
         words="all rows are checked"),
    Kind("new_integer", "fine", TITLE, (add("n", "IntegerField(null=True)"),), large=True),
    Kind("new_column_is_altered", "locks", TITLE,
         (add("n", "IntegerField(null=True)"), alter("n", "BigIntegerField(null=True)")), large=True),
    Kind("new_column_gets_an_index", "locks", TITLE,
         (add("n", "IntegerField(null=True)"), None, index("fields=['n']")), large=True, words="is built"),
    Kind("varchar_under_a_conditional_index", "locks", TITLE, (alter("title", "CharField(max_length=30)"),),
         "'indexes': [models.Index(fields=['title'], condition=Q(title__gt=''), name='p')]", large=True,
         words="the index p is built again"),
    Kind("varchar_under_an_index", "fine", TITLE, (alter("title", "CharField(max_length=30)"),),
         "'indexes': [models.Index(fields=['title'], name='p')]", large=True),
    Kind("not_valid_and_validate_at_once", "locks", N,
         (check("Q(n__gte=-2147483648)", kind=NOT_VALID), VALIDATE), large=True, words="all rows are checked"),
    Kind("not_valid_then_validate", "fine", N,
         (check("Q(n__gte=-2147483648)", kind=NOT_VALID), None, VALIDATE), large=True),
    Kind("lock_is_held_while_another_is_scanned", "locks", N,
         (alter("name", "CharField(max_length=30)", "author"), check("Q(n__gte=-2147483648)")), large=True),
    Kind("partitioned_table", "locks", TITLE, (index("fields=['title']"),), large=True, setup=(
        "DROP TABLE shop_article",
        "CREATE TABLE shop_article (id bigint GENERATED BY DEFAULT AS IDENTITY, title varchar(20) NOT NULL,"
        " PRIMARY KEY (id)) PARTITION BY HASH (id)",
        "CREATE TABLE part PARTITION OF shop_article FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        "INSERT INTO shop_article (title) SELECT n FROM generate_series(1, 1000) n")),
    # Checks.
    Kind("check_that_is_wider", "fine", N, (DROP_CHECK, check("Q(n__gte=-5)")), CHECKED),
    Kind("check_that_is_narrower", "breaks", N, (DROP_CHECK, check("Q(n__gte=1)")), CHECKED,
         setup=("DELETE FROM shop_article",)),
    Kind("check_that_is_renamed", "fine", N, (DROP_CHECK, check("Q(n__gte=0)")), CHECKED),
    Kind("check_on_one_more_value", "fine", f"{TITLE}, ('kind', models.CharField(max_length=9))",
         (DROP_CHECK, check("Q(kind__in=['1', 'b', 'c'])")), "'constraints': [Check(Q(kind__in=['1', 'b']), 'early')]"),
    Kind("check_on_new_and_known", "fine", N, (add("m", "IntegerField(null=True)"), check("Q(m__lt=F('n'))"))),
    Kind("check_on_new_with_default_and_known", "breaks", N,
         (add("m", "IntegerField(db_default=0)"), check("Q(m__lt=F('n'))")), since="5.0"),
    Kind("check_that_a_type_meets", "fine", f"{TITLE}, ('n', models.PositiveIntegerField())", (check("Q(n__gte=0)"),)),
    Kind("check_that_rejects_at_once", "fails", N,
         (check("Q(n__lt=0)"), "migrations.RemoveConstraint('article', 'later')")),
    # Expressions.
    Kind("index_on_expression_and_column", "fine", N, (index("Lower('title'), 'n'"),)),
    Kind("index_on_left", "fine", N, (index("Left('title', 3)"),)),
    Kind("index_on_case", "fine", N, (index("Case(When(n__gt=3, then=Value('a')), default=Value('b'))"),)),
    Kind("index_on_volatile", "fails", N, (index("Random()"),), words="IMMUTABLE"),
    Kind("unique_on_expression", "fails", N, (unique("Lower('title')"),)),
    Kind("integer_key_becomes_automatic", "fine", TITLE,
         ("migrations.AlterField('author', 'id', models.BigAutoField(primary_key=True))",),
         more=("migrations.AlterField('author', 'id', models.BigIntegerField(primary_key=True))",)),
    # SQL.
    Kind("sql_lock_timeout", "fine", TITLE,
         (sql("SET LOCAL lock_timeout = '1s'"), add("n", "IntegerField(null=True)"))),
    Kind("sql_index_concurrently", "fine", TITLE, (sql("CREATE INDEX CONCURRENTLY i ON shop_article (title)"),),
         atomic=False, large=True),
    Kind("sql_index_concurrently_in_a_transaction", "fails", TITLE,
         (sql("CREATE INDEX CONCURRENTLY i ON shop_article (title)"),), words="can't be applied"),
    Kind("sql_index", "locks", TITLE, (sql("CREATE INDEX i ON shop_article (title)"),), large=True),
    Kind("sql_comment", "fine", TITLE, (sql("COMMENT ON COLUMN shop_article.title IS 'about; it'"),)),
    Kind("sql_default", "fine", TITLE, (sql("ALTER TABLE shop_article ALTER title SET DEFAULT 'x'"),)),
    Kind("sql_drops_what_is_used", "breaks", TITLE, (sql("ALTER TABLE shop_article DROP COLUMN title"),)),
    Kind("sql_drops_what_nobody_knows", "fine", TITLE, (sql("ALTER TABLE shop_article DROP COLUMN old"),),
         setup=("ALTER TABLE shop_article ADD COLUMN old integer",)),
    Kind("sql_drops_a_table_that_nobody_knows", "fine", TITLE, (sql("DROP TABLE old"),),
         setup=("CREATE TABLE old (id integer)",)),
    Kind("sql_of_any_kind", "fine", TITLE, (sql("UPDATE shop_article SET title = title"),), verdict="unknown"),
    # What Django or PostgreSQL refuses.
    Kind("concurrently_in_a_transaction", "fails", TITLE, (index("fields=['title']", CONCURRENTLY),),
         words="can't be applied"),
    Kind("concurrently", "fine", TITLE, (index("fields=['title']", CONCURRENTLY),), atomic=False, large=True),
    # What takes each other back.
    Kind("column_comes_and_goes", "fine", TITLE,
         (add("new", "IntegerField(default=1)"), "migrations.RemoveField('article', 'new')")),
    Kind("column_goes_and_comes", "breaks", N,
         ("migrations.RemoveField('article', 'n')", add("n", "IntegerField(default=7)"))),
    Kind("name_changes_and_is_changed_back", "fine", N,
         ("migrations.RenameField('article', 'n', 'm')", "migrations.RenameField('article', 'm', 'n')")),
    Kind("name_changes_and_is_changed_back_later", "breaks", N,
         ("migrations.RenameField('article', 'n', 'm')", None, "migrations.RenameField('article', 'm', 'n')")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("stack", "kind"),
    [
        pytest.param(stack, kind, id=f"{stack}-{kind.name}", marks=[] if stack == USUAL else [exhaustive_on(stack)])
        for stack in POSTGRESQL
        for kind in KINDS
        if kind.since <= stack.django
    ],
    indirect=["stack"],
)
def test_verdict_is_what_happens_to(kind: Kind, stack: Stack, oracle: Callable[[Stack], Oracle]) -> None:
    answer = oracle(stack).ask(kind.example)
    assert answer["outcome"] == kind.outcome, answer
    assert answer["verdict"] == (kind.verdict or VERDICTS[kind.outcome]), answer
    assert kind.words in "\n".join(answer["reasons"]), answer


# How many examples are tried, in so many tests that share the processors.
SHARDS = 20
EXAMPLES = 10_000 if EXHAUSTIVE else 200


@pytest.mark.parametrize("shard", range(SHARDS if EXHAUSTIVE else 4))
def test_no_plan_is_called_compatible_that_is_not(
    shard: int, oracle: Callable[[Stack], Oracle], record_property: Callable[[str, object], None]
) -> None:
    """Any plan; its seed can be given again with ORACLE_SEED."""
    number = int(os.environ.get("ORACLE_SEED", time.time_ns() % 2**32)) + shard
    found: Counter[str] = Counter()
    started = time.monotonic()

    @seed(number)
    @settings(
        max_examples=EXAMPLES // (SHARDS if EXHAUSTIVE else 4),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(examples(USUAL.django))
    def run(example: dict[str, Any]) -> None:
        answer = oracle(USUAL).ask(example)
        outcome, verdict = answer["outcome"], answer["verdict"]
        if outcome == "invalid":
            found["of which Django can make nothing"] += 1
            return
        told = {"seed": number, **answer, "example": example}
        assert verdict in ("compatible", "unknown", "incompatible"), told
        assert not (verdict == "compatible" and outcome != "fine"), told
        found[verdict] += 1
        found["right"] += verdict == VERDICTS[outcome]

    try:
        run()
    finally:
        total = sum(found[verdict] for verdict in ("compatible", "unknown", "incompatible")) or 1
        shares = ", ".join(f"{name} {100 * count / total:.1f} %" for name, count in sorted(found.items()))
        record_property("judged", f"seed {number}: {total} plans in {time.monotonic() - started:.0f} s: {shares}")
    if EXHAUSTIVE:
        assert found["right"] >= 0.97 * total, shares
