// id: links
// title: The picture of a ring's direct links
// answers: Which members were linked to one another directly, e.g. by referral: who brought whom, the earliest
//   first.
// param: ring ring required "the ring: its id, the beginning of it, or its rank"
// returns: source, tie, target
// mode: graph
// false_positives: Friends refer friends, and a referral campaign makes long chains of strangers.
MATCH (a:Account)-[:MEMBER_OF]->(r:Ring {ring_id: $ring})
MATCH (a)-[l:LINKED]->(b:Account)-[:MEMBER_OF]->(r)
WITH l, a, b ORDER BY l.first_seen, a.account_id, b.account_id LIMIT 100
UNWIND [a, b] AS one
WITH one, min(coalesce(l.first_seen, datetime({epochMillis: 0}))) AS since ORDER BY since, one.account_id
WITH collect(one) AS pool
// What each account would add to the picture: Browser draws every relationship between nodes that it shows.
CALL (pool) {
  UNWIND range(0, size(pool) - 1) AS place
  WITH place, pool[place] AS one, pool[..place + 1] AS before
  CALL (one, before) {
    UNWIND before AS other
    MATCH (one)-[l:LINKED]-(other)
    RETURN collect(DISTINCT l) AS adds
  }
  WITH place, one, adds ORDER BY place
  RETURN collect({one: one, adds: adds}) AS candidates
}
WITH reduce(s = {left: 290, took: []}, c IN candidates |
  CASE WHEN s.left > size(c.adds) THEN {left: s.left - size(c.adds) - 1, took: s.took + [c]} ELSE s END).took AS shown
WITH [c IN shown | c.one] AS accounts, reduce(so_far = [], c IN shown | so_far + c.adds) AS ties
UNWIND [tie IN ties WHERE startNode(tie) IN accounts AND endNode(tie) IN accounts] AS tie
RETURN startNode(tie) AS source, tie, endNode(tie) AS target
LIMIT 290
