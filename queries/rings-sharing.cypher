// id: rings-sharing
// title: Rings that share an identifier
// answers: Which rings may be one hand, or use one service, and through what.
// param: ring ring optional "only with this ring"
// param: limit integer 1..1000 = 50 "at most so many pairs of rings"
// returns: ring, other_ring, shared, kinds, bits, identifiers, score, other_score
// mode: table
// false_positives: Two rings behind one VPN exit or one reseller of cards share without knowing each other. Damped
//   identifiers are left out.
MATCH (i:Identifier)
WHERE i.hub IS NULL AND COUNT { (i)<-[:HOLDS]-() } > 1
WITH i LIMIT 20000
MATCH (one:Bundle)-[:HOLDS]->(i)<-[:HOLDS]-(two:Bundle)
WHERE one.ring_id < two.ring_id AND ($ring IS NULL OR $ring IN [one.ring_id, two.ring_id])
WITH one.ring_id AS ring, two.ring_id AS other_ring, count(DISTINCT i) AS shared, collect(DISTINCT i.kind) AS kinds,
  sum(i.bits) AS bits, collect(i.kind + ' ' + i.label)[..5] AS identifiers
ORDER BY bits DESC, shared DESC, ring, other_ring LIMIT $limit
OPTIONAL MATCH (r:Ring {ring_id: ring})
OPTIONAL MATCH (o:Ring {ring_id: other_ring})
RETURN ring, other_ring, shared, kinds, bits, identifiers, r.score AS score, o.score AS other_score
ORDER BY bits DESC, shared DESC, ring, other_ring
LIMIT $limit
