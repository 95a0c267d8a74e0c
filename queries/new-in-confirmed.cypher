// id: new-in-confirmed
// title: Newest accounts attached to confirmed rings
// answers: Who joined a ring that a person has confirmed, or touches it: the newest sign-ups first.
// param: limit integer 1..1000 = 50 "at most so many accounts"
// returns: account, created_at, status, attached, ring, confidence, bits
// mode: table
// false_positives: Bystanders and outsiders touch the ring and may be its victims. The confirmation was of the ring
//   as it was then, not of who joined since.
MATCH (r:Ring)
WHERE r.gone IS NULL
  AND (r.review = 'confirm' OR (r.status = 'confirmed' AND coalesce(r.review, 'confirm') = 'confirm'))
WITH r ORDER BY r.rank LIMIT 200
CALL (r) {
  MATCH (a:Account)-[m:MEMBER_OF]->(r)
  RETURN a, 'member' AS attached, m.confidence AS confidence, m.bits AS bits
UNION ALL
  MATCH (a:Account)-[y:BYSTANDER_OF]->(r)
  RETURN a, 'bystander' AS attached, null AS confidence, y.bits AS bits
UNION ALL
  MATCH (r)-[:TIED_BY]->(:Bundle)-[h:HOLDS]->(i:Identifier)
  WHERE h.outsiders > 0 AND i.hub IS NULL
  WITH r, i ORDER BY coalesce(i.bits, 0.0) DESC, i.key LIMIT 1000
  MATCH (i)<-[s]-(a:Account)
  WITH r, a, max(s.bits) AS bits
  WHERE NOT EXISTS { (a)-[:MEMBER_OF|BYSTANDER_OF]->(r) }
  RETURN a, 'outsider' AS attached, null AS confidence, bits
}
WITH r, a, attached, confidence, bits
WHERE a.created_at IS NOT NULL
RETURN a.account_id AS account, a.created_at AS created_at, a.status AS status, attached,
  r.ring_id AS ring, confidence, bits
ORDER BY created_at DESC, account, ring
LIMIT $limit
