// id: ring-members
// title: Members of a ring and what ties them
// answers: Who belongs to the ring, how sure that is, and which of the ring's identifiers each one has.
// param: ring ring required "the ring: its id, the beginning of it, or its rank"
// param: confidence float 0..1 = 0 "only members of whom it is at least so sure"
// param: limit integer 1..1000 = 100 "at most so many members, the surest first"
// returns: account, tier, confidence, status, created_at, exchanges, kinds, ties, identifiers
// mode: table
// false_positives: Who lives with a member, or whose card was stolen, can be a member too: look at kinds and
//   confidence.
MATCH (a:Account)-[m:MEMBER_OF]->(r:Ring {ring_id: $ring})
WHERE m.confidence >= $confidence
WITH r, a, m ORDER BY m.confidence DESC, a.account_id LIMIT $limit
CALL (r, a) {
  MATCH (a)-[s]->(i:Identifier)
  WHERE EXISTS { (i)<-[:HOLDS]-(:Bundle {ring_id: r.ring_id}) }
  WITH i, s ORDER BY coalesce(s.bits, 0.0) DESC, i.key
  RETURN collect(DISTINCT i.kind) AS kinds, count(i) AS ties, collect(i.kind + ' ' + i.label)[..5] AS identifiers
}
RETURN a.account_id AS account, m.tier AS tier, m.confidence AS confidence, a.status AS status,
  a.created_at AS created_at, a.exchanges AS exchanges, kinds, ties, identifiers
ORDER BY confidence DESC, account
LIMIT $limit
