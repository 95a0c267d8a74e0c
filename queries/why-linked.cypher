// id: why-linked
// title: Why two accounts are linked: the shortest paths of evidence between them
// answers: Through which shared identifiers, accounts and links the two are tied, in at most six steps, strongest
//   first.
// param: account account required "one account's id"
// param: other account required "the other account's id"
// returns: path
// mode: graph
// false_positives: A chain over other accounts ties nobody by itself, and two members of one ring may be tied by
//   many weak values that no single path shows. Damped identifiers are never part of a path.
MATCH (a:Account {account_id: $account}), (b:Account {account_id: $other})
WHERE a <> b
CALL (a, b) {
  MATCH path = allShortestPaths((a)-[*..6]-(b))
  WHERE all(n IN nodes(path) WHERE n:Account OR (n:Identifier AND n.hub IS NULL))
  RETURN path LIMIT 100
}
WITH path ORDER BY reduce(bits = 0.0, tie IN relationships(path) | bits + coalesce(tie.bits, 0.0)) DESC LIMIT 12
// The longer they are, the fewer are drawn: Browser draws every relationship between nodes that it shows.
WITH collect(path) AS paths
UNWIND paths[..CASE WHEN length(paths[0]) <= 2 THEN 12 WHEN length(paths[0]) <= 4 THEN 5 ELSE 3 END] AS path
RETURN path
LIMIT 12
