// id: worth-blocking
// title: Identifiers of a ring most worth blocking, and whom else that would hit
// answers: Which identifiers reach many members and few others, and who the others are.
// param: ring ring required "the ring: its id, the beginning of it, or its rank"
// param: limit integer 1..1000 = 25 "at most so many identifiers"
// returns: kind, label, members, outsiders, precision, bits, other_rings, also_hits
// mode: table
// false_positives: Whom a block would hit later is not seen: an address may be given to somebody else tomorrow.
//   Damped identifiers are left out. A mirror of scope rings names at most 20 outsiders of each identifier; the
//   number is whole.
MATCH (r:Ring {ring_id: $ring})-[:TIED_BY]->(:Bundle)-[h:HOLDS]->(i:Identifier)
WHERE i.hub IS NULL
WITH r, i, h, toFloat(h.accounts) / (h.accounts + h.outsiders) AS precision
ORDER BY h.accounts * precision * precision DESC, h.bits DESC, i.kind, i.key LIMIT $limit
CALL (r, i) {
  MATCH (i)<--(a:Account)
  WITH r, a LIMIT 5000
  WHERE NOT EXISTS { (a)-[:MEMBER_OF]->(r) }
  WITH a.account_id AS account ORDER BY account LIMIT 5
  RETURN collect(account) AS also_hits
}
RETURN i.kind AS kind, i.label AS label, h.accounts AS members, h.outsiders AS outsiders,
  round(precision, 3) AS precision, h.bits AS bits,
  COUNT { (i)<-[:HOLDS]-(b:Bundle) WHERE b.ring_id <> r.ring_id } AS other_rings, also_hits
ORDER BY members * precision * precision DESC, bits DESC, kind, label
LIMIT $limit
