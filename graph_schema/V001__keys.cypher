// What may exist only once. Neo4j Community has uniqueness, no node keys.
CREATE CONSTRAINT linkage_case IF NOT EXISTS FOR (n:LinkageCase) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT linkage_account IF NOT EXISTS FOR (n:Account) REQUIRE n.account_id IS UNIQUE;
CREATE CONSTRAINT linkage_identifier IF NOT EXISTS FOR (n:Identifier) REQUIRE (n.kind, n.key) IS UNIQUE;
CREATE CONSTRAINT linkage_ring IF NOT EXISTS FOR (n:Ring) REQUIRE n.ring_id IS UNIQUE;
CREATE CONSTRAINT linkage_bundle IF NOT EXISTS FOR (n:Bundle) REQUIRE n.bundle_id IS UNIQUE;
