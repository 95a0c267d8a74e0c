// id: audit-no-bits
// title: Sightings that nothing was weighed for
// answers: Whether every mirrored tie of an account to an identifier has its bits.
// param: limit integer 1..1000 = 100 "at most so many rows"
// returns: account, relationship, kind, label
// mode: audit
// false_positives: After an ingest that no detect has seen yet what is new has no bits: run linkage detect, then
//   publish.
MATCH (a:Account)-[s {mirrored: true}]->(i:Identifier)
WHERE s.bits IS NULL
RETURN a.account_id AS account, type(s) AS relationship, i.kind AS kind, i.label AS label
ORDER BY account, kind, label
LIMIT $limit
