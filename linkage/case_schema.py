"""The tables of a case file, and what brings a case of an older version to the next one."""

from typing import Final

SCHEMA_VERSION: Final = 4

_DECISIONS: Final = """
-- What people decided, append-only; the latest on a ring, or on a member of one, counts, until it is over.
-- `members` are the accounts that it is about; NULL is the ring as a whole.
CREATE TABLE decisions (decision BIGINT PRIMARY KEY, ring_id VARCHAR NOT NULL, verdict VARCHAR NOT NULL,
    note VARCHAR NOT NULL, tags VARCHAR[] NOT NULL, "by" VARCHAR NOT NULL, "at" TIMESTAMP NOT NULL,
    source VARCHAR NOT NULL, run BIGINT NOT NULL, recorded_at TIMESTAMP NOT NULL, members VARCHAR[], until TIMESTAMP);
"""

# The statuses of decisions stood in `rings` before. Now they are worked out when they are asked for, as some are over
# by then.
_DECISION_COLUMNS: Final = """
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS members VARCHAR[];
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS until TIMESTAMP;
UPDATE rings SET status = if(starts_with(why, 'Explained: '), 'explained', 'open');
"""

_BOUND: Final = """
-- Where a decision changed who is in a ring of the newest run (linkage/rings/bind.py): the account joined or left it.
CREATE TABLE bound (ring_id VARCHAR NOT NULL, account_id VARCHAR NOT NULL, joined BOOLEAN NOT NULL,
    decision BIGINT NOT NULL);
"""

_ALLOWANCES: Final = """
-- Identifiers that link nobody, by decision; append-only, the latest on an identifier counts, until it is over.
CREATE TABLE allowances (allowance BIGINT PRIMARY KEY, kind VARCHAR NOT NULL, value VARCHAR NOT NULL,
    allowed BOOLEAN NOT NULL, reason VARCHAR NOT NULL, "by" VARCHAR NOT NULL, "at" TIMESTAMP NOT NULL,
    until TIMESTAMP, run BIGINT NOT NULL);
-- What the newest run left out for them: who has such an identifier.
CREATE TABLE allowed_sightings (account_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, value VARCHAR NOT NULL,
    label VARCHAR, allowance BIGINT NOT NULL);
"""

_PROMPTS: Final = """
-- What is kept of raw prompts: a sketch of each (linkage/prompts/sketch.py).
CREATE TABLE prompts (prompt UBIGINT NOT NULL, tokens USMALLINT NOT NULL, sketch BLOB NOT NULL);
-- The template of each prompt's body, opening and ending, named by the smallest id of the prompts that follow it.
CREATE TABLE templates (prompt UBIGINT NOT NULL, body UBIGINT NOT NULL, opening UBIGINT, ending UBIGINT);
-- Names that templates had before later prompts joined them to others. They stay valid: see `template_aliases`.
CREATE TABLE former_templates (part VARCHAR NOT NULL, alias UBIGINT NOT NULL);
CREATE VIEW template_aliases AS
SELECT f.part, f.alias,
    CASE f.part WHEN 'opening' THEN t.opening WHEN 'ending' THEN t.ending ELSE t.body END AS template
FROM former_templates f JOIN templates t ON t.prompt = f.alias;
-- Where the newest run found, from all that an account sends, that a prompt follows another template than its
-- near-duplicates do.
CREATE TABLE followed (account_id VARCHAR NOT NULL, prompt UBIGINT NOT NULL, template UBIGINT NOT NULL);
-- The template of each exchange whose prompt was given as text.
CREATE VIEW exchange_templates AS
SELECT e.account_id, e."at", e.model, e.prompt, coalesce(f.template, t.body) AS template, t.opening, t.ending
FROM exchanges e JOIN templates t USING (prompt) LEFT JOIN followed f USING (account_id, prompt);
-- Filled by `--keep-skeletons` only (linkage/prompts/words.py): the words of some prompts of each template that enough
-- accounts send, as keyed hashes, the text of words that enough accounts use, and a hash of each account that used
-- another word so far.
CREATE TABLE prompt_words (prompt UBIGINT NOT NULL, words UBIGINT[] NOT NULL);
CREATE TABLE words (word UBIGINT NOT NULL, "text" VARCHAR NOT NULL);
CREATE TABLE word_accounts (word UBIGINT NOT NULL, account UINTEGER NOT NULL);
"""

_PROMPT_COLUMN: Final = """
ALTER TABLE exchanges ADD COLUMN prompt UBIGINT;
ALTER TABLE shared ADD COLUMN trust VARCHAR;
INSERT INTO meta SELECT 'former_prompts', '1' FROM exchanges WHERE starts_with(prompt_fingerprint, 'exact:') LIMIT 1;
"""

_RING_KINDS: Final = """
-- What each kind of evidence brings to a ring, and what the ring would be without it (linkage/rings/without.py). Over a
-- ring's kinds the bits add up to its own plus the prior.
CREATE TABLE ring_kinds (ring_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, "values" BIGINT NOT NULL,
    bits DOUBLE NOT NULL, members BIGINT NOT NULL, score_without DOUBLE NOT NULL, members_without BIGINT NOT NULL);
-- The same of the value that brings a ring most.
CREATE TABLE ring_strongest (ring_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, value VARCHAR NOT NULL, label VARCHAR,
    bits DOUBLE NOT NULL, members BIGINT NOT NULL, score_without DOUBLE NOT NULL, members_without BIGINT NOT NULL);
"""

_LINEAGE: Final = """
-- What became of each ring in each run (linkage/rings/lineage.py): a row for each ring that the run found, and for
-- each of the run before that ended. Runs before version 4 have none.
CREATE TABLE lineage (run BIGINT NOT NULL, ring_id VARCHAR NOT NULL, event VARCHAR NOT NULL, other VARCHAR,
    accounts BIGINT NOT NULL, joined BIGINT NOT NULL, "left" BIGINT NOT NULL, banned BIGINT NOT NULL,
    score DOUBLE, listed BOOLEAN NOT NULL);
"""

_LIKENESS: Final = """
-- How the linked accounts live: the rank of each behaviour among them (identify.BEHAVIOURS), from 0 to 1.
CREATE TABLE lives (account_id VARCHAR NOT NULL, signed_up DOUBLE, began DOUBLE, volume DOUBLE, addresses DOUBLE,
    asked DOUBLE, answered DOUBLE, adopted DOUBLE, switched DOUBLE, rhythm DOUBLE);
-- What the newest run learnt that it is worth to live alike (linkage/evidence/likeness.py): m / u of each behaviour for
-- each step of the difference of two ranks, and what correlation leaves of the sum, the same in all rows.
CREATE TABLE likeness (behaviour VARCHAR NOT NULL, step BIGINT NOT NULL, ratio DOUBLE NOT NULL, damp DOUBLE NOT NULL);
"""

_NULLS: Final = """
-- What the null models showed that the newest runs compared with (linkage/significance/nulls.py): strength and score of
-- each one's rings, how it was searched, and how many accounts and sightings it was drawn from.
CREATE TABLE null_models (model BIGINT PRIMARY KEY, question VARCHAR NOT NULL, accounts BIGINT NOT NULL,
    ties BIGINT NOT NULL, strength DOUBLE[] NOT NULL, score DOUBLE[] NOT NULL);
"""

_CONTEXT: Final = """
-- What the user's lists say of addresses and mail domains (linkage/context/): of each source the files that it came
-- from, its ranges (addresses as numbers, IPv4 as ::ffff:0:0/96; of one source none overlap), the autonomous systems
-- and the domains that it lists.
CREATE TABLE context_tables (source VARCHAR PRIMARY KEY, files VARCHAR[] NOT NULL, sha256 VARCHAR NOT NULL,
    rows BIGINT NOT NULL, rejected BIGINT NOT NULL, overlapping BIGINT NOT NULL, added_at TIMESTAMP NOT NULL);
CREATE TABLE context_ranges (source VARCHAR NOT NULL, first UHUGEINT NOT NULL, last UHUGEINT NOT NULL, asn UINTEGER,
    name VARCHAR);
CREATE TABLE context_systems (source VARCHAR NOT NULL, asn UINTEGER NOT NULL);
CREATE TABLE context_domains (source VARCHAR NOT NULL, domain VARCHAR NOT NULL);
-- What the newest run knew so of the identifiers that it saw shared.
CREATE TABLE places (kind VARCHAR NOT NULL, value VARCHAR NOT NULL, asn UINTEGER, name VARCHAR, type VARCHAR);
"""

# Rows that are there already get no place; `placed_from` is the first command whose rows have one.
_PLACE_COLUMNS: Final = """
ALTER TABLE account_rows ADD COLUMN file BIGINT;
ALTER TABLE account_rows ADD COLUMN line BIGINT;
ALTER TABLE payments ADD COLUMN file BIGINT;
ALTER TABLE payments ADD COLUMN line BIGINT;
ALTER TABLE logins ADD COLUMN file BIGINT;
ALTER TABLE logins ADD COLUMN line BIGINT;
ALTER TABLE exchanges ADD COLUMN file BIGINT;
ALTER TABLE exchanges ADD COLUMN line BIGINT;
ALTER TABLE identifiers ADD COLUMN file BIGINT;
ALTER TABLE identifiers ADD COLUMN line BIGINT;
ALTER TABLE links ADD COLUMN file BIGINT;
ALTER TABLE links ADD COLUMN line BIGINT;
INSERT INTO meta SELECT 'placed_from', (coalesce(max(command), 0) + 1)::VARCHAR FROM commands;
"""

# The contract tables hold what ingest has canonicalised and, where private, hashed: no raw prompt, e-mail or phone.
# `file` (files.file) and `line` (from 1, the record's first; in Parquet the row) say where a row stands. Both are NULL
# in rows from before version 4, and where several rows made one of an account; the line where it cannot be told.
_TABLES: Final = """
CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);

-- One row a call of `linkage ingest`; finished_at is NULL while it runs or after it was interrupted.
CREATE TABLE commands (command BIGINT PRIMARY KEY, started_at TIMESTAMP NOT NULL, finished_at TIMESTAMP,
    files VARCHAR[] NOT NULL);
-- One row a file that went in; (sha256, "table") is its identity.
CREATE TABLE files (file BIGINT PRIMARY KEY, command BIGINT NOT NULL, name VARCHAR NOT NULL, "table" VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL, bytes BIGINT NOT NULL, rows BIGINT NOT NULL, added BIGINT NOT NULL,
    rejected BIGINT NOT NULL, ingested_at TIMESTAMP NOT NULL, preset VARCHAR);
CREATE TABLE rejects (file BIGINT NOT NULL, line BIGINT, "column" VARCHAR, reason VARCHAR NOT NULL, excerpt VARCHAR);

-- At most two rows an account: what older commands settled, and what the newest command said.
CREATE TABLE account_rows (command BIGINT NOT NULL, account_id VARCHAR NOT NULL, created_at TIMESTAMP,
    banned_at TIMESTAMP, email VARCHAR, email_label VARCHAR, email_domain VARCHAR, phone VARCHAR, phone_label VARCHAR,
    org_id VARCHAR, org_verified BOOLEAN, status VARCHAR, country VARCHAR, plan VARCHAR,
    file BIGINT, line BIGINT);
CREATE TABLE payments (account_id VARCHAR NOT NULL, payment_id VARCHAR NOT NULL, method VARCHAR, added_at TIMESTAMP,
    file BIGINT, line BIGINT);
CREATE TABLE logins (account_id VARCHAR NOT NULL, ip VARCHAR, ip_net VARCHAR, device_id VARCHAR, user_agent VARCHAR,
    "at" TIMESTAMP, file BIGINT, line BIGINT);
CREATE TABLE exchanges (command BIGINT NOT NULL, account_id VARCHAR NOT NULL, "at" TIMESTAMP NOT NULL,
    exchange_id VARCHAR, ip VARCHAR, ip_net VARCHAR, device_id VARCHAR, user_agent VARCHAR, model VARCHAR,
    prompt_fingerprint VARCHAR, input_tokens BIGINT, output_tokens BIGINT, prompt UBIGINT,
    file BIGINT, line BIGINT);
CREATE TABLE identifiers (account_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, value VARCHAR NOT NULL, label VARCHAR,
    ip_net VARCHAR, "at" TIMESTAMP, file BIGINT, line BIGINT);
CREATE TABLE links (account_id VARCHAR NOT NULL, other_account_id VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    "at" TIMESTAMP, file BIGINT, line BIGINT);

-- What the newest run saw: identifiers that two accounts or more share, and who was seen with them. `trust` is the kind
-- that an identifier is weighed as, where that is another than its own (`model.WORKED_PROMPT`).
CREATE TABLE shared (kind VARCHAR NOT NULL, value VARCHAR NOT NULL, label VARCHAR, accounts BIGINT NOT NULL,
    bits DOUBLE NOT NULL, trust VARCHAR);
CREATE TABLE sightings (account_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, value VARCHAR NOT NULL,
    count BIGINT NOT NULL, first_seen TIMESTAMP, last_seen TIMESTAMP, bits DOUBLE NOT NULL);

-- One row a `linkage detect`. The tables below hold the newest run, but for memberships and lineage.
CREATE TABLE runs (run BIGINT PRIMARY KEY, started_at TIMESTAMP NOT NULL, seconds DOUBLE NOT NULL,
    parameters JSON NOT NULL, versions JSON NOT NULL, counts JSON NOT NULL, timings JSON NOT NULL);
CREATE TABLE rings (ring_id VARCHAR PRIMARY KEY, rank BIGINT NOT NULL, score DOUBLE NOT NULL, q_value DOUBLE,
    status VARCHAR NOT NULL, listed BOOLEAN NOT NULL, accounts BIGINT NOT NULL, exchanges BIGINT NOT NULL,
    first_seen TIMESTAMP, last_seen TIMESTAMP, why VARCHAR NOT NULL, doubts VARCHAR NOT NULL, bits DOUBLE NOT NULL,
    factors JSON NOT NULL);
CREATE TABLE members (ring_id VARCHAR NOT NULL, account_id VARCHAR NOT NULL, tier VARCHAR NOT NULL,
    confidence DOUBLE NOT NULL, bits DOUBLE NOT NULL, exchanges BIGINT NOT NULL, first_seen TIMESTAMP,
    last_seen TIMESTAMP);
CREATE TABLE evidence (ring_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, value VARCHAR NOT NULL, label VARCHAR,
    accounts BIGINT NOT NULL, outsiders BIGINT NOT NULL, bits DOUBLE NOT NULL, first_seen TIMESTAMP,
    last_seen TIMESTAMP);
-- Accounts that touch a ring without being members: bystanders, victims.
CREATE TABLE bystanders (ring_id VARCHAR NOT NULL, account_id VARCHAR NOT NULL, bits DOUBLE NOT NULL,
    reason VARCHAR NOT NULL);
CREATE TABLE hubs (kind VARCHAR NOT NULL, value VARCHAR NOT NULL, label VARCHAR, accounts BIGINT NOT NULL,
    bits_alone DOUBLE NOT NULL, pairs_spared BIGINT NOT NULL, reason VARCHAR NOT NULL);
-- Ring ids live on from run to run by overlap of their members.
CREATE TABLE memberships (run BIGINT NOT NULL, ring_id VARCHAR NOT NULL, account_id VARCHAR NOT NULL, banned BOOLEAN);

-- A later command's non-empty value wins; within one command the greatest value does, whatever the file order.
CREATE VIEW accounts AS
WITH said AS (SELECT account_id,
    arg_max(created_at, (command, created_at)) FILTER (created_at IS NOT NULL) AS created_at,
    arg_max(banned_at, (command, banned_at)) FILTER (banned_at IS NOT NULL) AS banned_at,
    arg_max({e: email, l: email_label, d: email_domain}, (command, email)) FILTER (email IS NOT NULL) AS email,
    arg_max({p: phone, l: phone_label}, (command, phone)) FILTER (phone IS NOT NULL) AS phone,
    arg_max(org_id, (command, org_id)) FILTER (org_id IS NOT NULL) AS org_id,
    arg_max(org_verified, (command, org_verified)) FILTER (org_verified IS NOT NULL) AS org_verified,
    arg_max(status, (command, status)) FILTER (status IS NOT NULL) AS status,
    arg_max(country, (command, country)) FILTER (country IS NOT NULL) AS country,
    arg_max(plan, (command, plan)) FILTER (plan IS NOT NULL) AS plan
    FROM account_rows GROUP BY account_id)
SELECT account_id, created_at, banned_at, email.e AS email, email.l AS email_label, email.d AS email_domain,
    phone.p AS phone, phone.l AS phone_label, org_id, org_verified, status, country, plan FROM said;
"""

_PRESET_COLUMN: Final = """
ALTER TABLE files ADD COLUMN IF NOT EXISTS preset VARCHAR;
"""

_ALIASES: Final = """
-- Other names of accounts, as other systems call them (linkage/ingest/aliases.py): of an e-mail address what masks it.
CREATE TABLE aliases (account_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, value VARCHAR NOT NULL,
    file BIGINT, line BIGINT);
"""

_AUDIT: Final = """
-- What was done to the case, by whom and when: append-only, each entry chained to the one before (linkage/audit.py).
CREATE TABLE audit (entry BIGINT PRIMARY KEY, "at" TIMESTAMP NOT NULL, "by" VARCHAR NOT NULL, deed VARCHAR NOT NULL,
    facts VARCHAR NOT NULL, code VARCHAR NOT NULL);
-- Accounts that were erased, as HMACs of what they were called: ingest leaves out their rows (linkage/forget.py).
CREATE TABLE erased (account VARCHAR PRIMARY KEY);
"""

SCHEMA: Final = (
    _TABLES
    + _DECISIONS
    + _PROMPTS
    + _RING_KINDS
    + _LINEAGE
    + _LIKENESS
    + _BOUND
    + _ALLOWANCES
    + _NULLS
    + _CONTEXT
    + _ALIASES
    + _AUDIT
)
"""Makes an empty case."""

# What brings a case of an older version to the next one.
MIGRATIONS: Final[dict[int, str]] = {
    1: _DECISIONS,
    # Fingerprints of raw prompts were of another kind then: they stay, and no new ones can stand beside them.
    2: _PROMPT_COLUMN + _PROMPTS,
    3: _RING_KINDS
    + _PLACE_COLUMNS
    + _LINEAGE
    + _LIKENESS
    + "ALTER TABLE memberships ADD COLUMN banned BOOLEAN;"
    + _DECISION_COLUMNS
    + _BOUND
    + _ALLOWANCES
    + _NULLS
    + _CONTEXT
    + _ALIASES
    + _PRESET_COLUMN
    + _AUDIT,
}
