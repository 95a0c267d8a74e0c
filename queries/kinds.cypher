// id: kinds
// title: What ties the rings, kind by kind
// answers: Which kinds of identifiers do the work: how many are in the graph, how many are damped, how many tie a
//   ring.
// param: limit integer 1..1000 = 50 "at most so many kinds"
// returns: kind, identifiers, damped, in_rings, widest, mean_bits
// mode: table
// false_positives: A kind that ties no ring is not useless: it may have kept accounts apart. A mirror of scope
//   rings holds only identifiers that tie a ring.
MATCH (i:Identifier)
WHERE i.gone IS NULL
RETURN i.kind AS kind, count(*) AS identifiers, count(i.hub) AS damped,
  sum(CASE WHEN EXISTS { (i)<-[:HOLDS]-() } THEN 1 ELSE 0 END) AS in_rings, max(i.accounts) AS widest,
  round(avg(i.bits), 2) AS mean_bits
ORDER BY in_rings DESC, identifiers DESC, kind
LIMIT $limit
