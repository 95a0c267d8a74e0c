// id: account
// title: The picture of one account
// answers: What an account shares, with whom, and in which ring it is. Under 300 nodes and relationships.
// param: account account required "the account's id"
// returns: source, tie, target
// mode: graph
// false_positives: Everybody behind one router or in one household is drawn. Of many sharers a few are shown, and
//   none of a damped identifier.
MATCH (a:Account {account_id: $account})
CALL (a) {
  MATCH (a)-[s]->(i:Identifier)
  WITH s, i ORDER BY i.hub IS NOT NULL, coalesce(s.bits, 0.0) DESC, i.accounts, i.key LIMIT 8
  RETURN collect(i) AS ids
}
// For each identifier up to three others out of 500, those who share most of these identifiers first.
CALL (a, ids) {
  UNWIND [i IN ids WHERE i.hub IS NULL] AS i
  CALL (a, i) {
    MATCH (i)<--(o:Account)
    WITH a, o LIMIT 500
    WHERE o <> a
    RETURN o
  }
  WITH o, count(*) AS shared ORDER BY shared DESC, o.account_id LIMIT 8
  RETURN collect(o) AS others
}
CALL (a) {
  MATCH (a)-[:MEMBER_OF|BYSTANDER_OF]->(r:Ring)
  WITH r ORDER BY r.rank, r.ring_id LIMIT 2
  RETURN collect(DISTINCT r) AS rings
}
CALL (a) {
  MATCH (a)-[l:LINKED]-(o:Account)
  WITH l, o ORDER BY o.account_id, l.kind LIMIT 3
  RETURN collect(DISTINCT o) AS linked
}
WITH ids, rings, a, others + [o IN linked WHERE o <> a AND NOT o IN others] AS others
WITH [a] + others + ids + rings AS shown
CALL (shown) {
  UNWIND shown AS source
  UNWIND shown AS target
  MATCH (source)-[tie]->(target)
  WHERE tie.mirrored
  RETURN DISTINCT source, tie, target
}
RETURN source, tie, target
ORDER BY CASE WHEN source.account_id = $account OR target.account_id = $account THEN 0 ELSE 1 END, type(tie),
  source.account_id, target.key
LIMIT 290
