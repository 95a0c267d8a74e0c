// id: bystanders
// title: Bystanders of a ring, perhaps its victims
// answers: Which accounts touch the ring without being members, and why they were left out.
// param: ring ring required "the ring: its id, the beginning of it, or its rank"
// param: limit integer 1..1000 = 100 "at most so many accounts, the most strongly tied first"
// returns: account, bits, reason, status, created_at, email, shares
// mode: table
// false_positives: All of them: a bystander is no member. Ask the person before you block anything of theirs.
MATCH (a:Account)-[y:BYSTANDER_OF]->(r:Ring {ring_id: $ring})
WITH a, y, r ORDER BY y.bits DESC, a.account_id LIMIT $limit
RETURN a.account_id AS account, y.bits AS bits, y.reason AS reason, a.status AS status, a.created_at AS created_at,
  a.email AS email, COLLECT {
    MATCH (a)-->(i:Identifier)<-[:HOLDS]-(:Bundle {ring_id: r.ring_id})
    RETURN DISTINCT i.kind + ' ' + i.label AS label ORDER BY label LIMIT 5
  } AS shares
ORDER BY bits DESC, account
LIMIT $limit
