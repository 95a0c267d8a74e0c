// id: ring-neighbours
// title: The picture of a ring and the rings beside it
// answers: Which other rings have identifiers of this one among what ties them.
// param: ring ring required "the ring: its id, the beginning of it, or its rank"
// returns: path
// mode: graph
// false_positives: A shared network or a reseller's card joins rings that do not know each other. Damped
//   identifiers are left out; of many shared identifiers the 20 strongest are drawn.
MATCH (r:Ring {ring_id: $ring})-[:TIED_BY]->(mine:Bundle)-[:HOLDS]->(i:Identifier)
WHERE i.hub IS NULL AND COUNT { (i)<-[:HOLDS]-() } > 1
WITH DISTINCT r, i ORDER BY coalesce(i.bits, 0.0) DESC, i.kind, i.key LIMIT 20
MATCH path = (r)-[:TIED_BY]->(:Bundle)-[:HOLDS]->(i)<-[:HOLDS]-(:Bundle)<-[:TIED_BY]-(other:Ring)
WHERE other <> r
RETURN path
ORDER BY coalesce(i.bits, 0.0) DESC, i.kind, i.key, other.rank, other.ring_id
LIMIT 30
