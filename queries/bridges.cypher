// id: bridges
// title: Bridges: accounts whose removal splits a ring
// answers: Which members alone hold parts of the ring together, and how many accounts hang on each.
// param: ring ring required "the ring: its id, the beginning of it, or its rank"
// param: limit integer 1..1000 = 50 "at most so many accounts"
// returns: account, tier, confidence, hanging, through, found_by
// mode: table
// false_positives: A bridge is no ringleader: who lent a friend a card is one too, and a bridge may mean that two
//   rings were taken for one. Of rings over 500 accounts only those are found whose fellows hang on a single
//   identifier.
MATCH (r:Ring {ring_id: $ring})
// How many of the ring's identifiers each member has, and the members of each identifier.
CALL (r) {
  MATCH (r)-[:TIED_BY]->(:Bundle)-[:HOLDS]->(i:Identifier)
  WHERE i.hub IS NULL
  MATCH (i)<--(a:Account)-[:MEMBER_OF]->(r)
  WITH a, collect(i) AS ids
  UNWIND ids AS i
  WITH r, i, collect(CASE WHEN size(ids) > 1 THEN a END) AS joining,
    collect(CASE WHEN size(ids) = 1 THEN a END) AS hanging
  WHERE size(joining) = 1 AND size(hanging) >= 2
  WITH r, i, joining[0] AS a, hanging
  // Who is also linked to another member stays with the ring.
  WHERE none(x IN hanging WHERE EXISTS {
    (x)-[:LINKED]-(y:Account)-[:MEMBER_OF]->(r) WHERE y <> a AND NOT y IN hanging
  })
  RETURN a, count(i) AS parts, sum(size(hanging)) AS hanging, collect(i.kind + ' ' + i.label)[..5] AS through
UNION
  MATCH (a:Account)-[:MEMBER_OF {tier: 'bridge'}]->(r)
  RETURN a, 0 AS parts, 0 AS hanging, [] AS through
}
WITH r, a, max(parts) AS parts, max(hanging) AS hanging,
  reduce(so_far = [], few IN collect(through) | so_far + few) AS through
// Two parts at least must remain: those that hang on it, and the rest.
WHERE parts <> 1 OR r.accounts - hanging >= 3
MATCH (a)-[m:MEMBER_OF]->(r)
RETURN a.account_id AS account, m.tier AS tier, m.confidence AS confidence,
  CASE WHEN hanging > 0 THEN hanging END AS hanging, through,
  CASE WHEN m.tier = 'bridge' THEN 'linkage detect' ELSE 'single identifiers' END AS found_by
ORDER BY coalesce(hanging, 0) DESC, account
LIMIT $limit
