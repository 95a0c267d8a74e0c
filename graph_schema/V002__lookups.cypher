// What people look things up by.
CREATE INDEX linkage_identifier_key IF NOT EXISTS FOR (n:Identifier) ON (n.key);
CREATE INDEX linkage_identifier_label IF NOT EXISTS FOR (n:Identifier) ON (n.label);
CREATE INDEX linkage_account_status IF NOT EXISTS FOR (n:Account) ON (n.status);
CREATE INDEX linkage_account_created IF NOT EXISTS FOR (n:Account) ON (n.created_at);
CREATE INDEX linkage_ring_rank IF NOT EXISTS FOR (n:Ring) ON (n.rank);
