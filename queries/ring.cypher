// id: ring
// title: The picture of one ring
// answers: What holds this ring together: what ties it, its strongest identifiers, its surest members and who
//   stands by. Under 300 nodes and relationships, even of a ring of 20,000 accounts; of a ring of 6 all accounts.
// param: ring ring required "the ring: its id, the beginning of it, or its rank"
// returns: source, tie, target
// mode: graph
// false_positives: A member may be a victim (a stolen card) or a housemate; bystanders are no members. Of a large
//   ring it is a choice of the strongest, so that it looks more tightly tied than it is.
MATCH (r:Ring {ring_id: $ring})
CALL (r) {
  MATCH (r)-[t:TIED_BY]->(b:Bundle)
  WITH t, b ORDER BY t.bits DESC, b.bundle_id LIMIT 8
  RETURN collect(b) AS bundles, collect(t) AS tied
}
// The strongest identifier of each bundle, then the second of each, and so on.
CALL (r, bundles) {
  UNWIND bundles AS b
  MATCH (b)-[h:HOLDS]->(i:Identifier)
  WITH b, h, i ORDER BY h.bits DESC, i.key
  WITH b, collect(h)[..24] AS best
  UNWIND range(0, size(best) - 1) AS place
  WITH place, best[place] AS h ORDER BY place, h.bits DESC, endNode(h).key
  RETURN collect(h) AS ranked
}
WITH r, bundles, tied, ranked[..CASE WHEN r.accounts <= 6 THEN 24 ELSE 16 END] AS holds
WITH r, bundles, tied, holds, [h IN holds | endNode(h)] AS ids
// Candidates: for each identifier the four surest of at most 2,000 holders, then the surest of all.
CALL (r, ids) {
  UNWIND ids AS i
  CALL (r, i) {
    MATCH (i)<--(a:Account)
    WITH r, a LIMIT 2000
    MATCH (a)-[m:MEMBER_OF]->(r)
    WITH m ORDER BY m.confidence DESC, startNode(m).account_id LIMIT 4
    RETURN collect(m) AS surest
  }
  UNWIND range(0, size(surest) - 1) AS place
  RETURN surest[place] AS m, place
UNION ALL
  MATCH (a:Account)-[m:MEMBER_OF]->(r)
  WITH r, m, a ORDER BY m.confidence DESC, a.account_id LIMIT 30
  RETURN m, CASE WHEN r.accounts <= 30 THEN 0 ELSE 9 END AS place
}
WITH r, bundles, tied, holds, ids, m, min(place) AS place
ORDER BY place, m.confidence DESC, startNode(m).account_id LIMIT 60
WITH r, bundles, tied, holds, ids, collect(m) AS members
CALL (r) {
  MATCH (a:Account)-[y:BYSTANDER_OF]->(r)
  WITH y ORDER BY y.bits DESC, startNode(y).account_id LIMIT 5
  RETURN collect(y) AS bystanders
}
WITH bundles, tied, holds, ids, members, bystanders, CASE WHEN r.accounts <= 30 THEN 30 ELSE 24 END AS most,
  [m IN members + bystanders | startNode(m)] AS pool
// What each candidate would add to the picture: Browser draws every relationship between nodes that it shows.
CALL (members, bystanders, ids, pool) {
  UNWIND range(0, size(pool) - 1) AS place
  WITH place, pool[place] AS a, (members + bystanders)[place] AS m, ids, pool, place < size(members) AS member
  CALL (a, ids) {
    UNWIND ids AS i
    MATCH (a)-[s]->(i)
    RETURN collect(s) AS seen
  }
  CALL (a, pool) {
    UNWIND pool AS other
    MATCH (a)-[l:LINKED]->(other)
    RETURN collect(l) AS linked
  }
  WITH place, member, a, [m] + seen + linked AS adds ORDER BY place
  RETURN collect({a: a, adds: adds, member: member}) AS candidates
}
CALL (ids) {
  UNWIND ids AS i
  MATCH (i)-[n:IN]->(net:Network) WHERE net IN ids
  RETURN collect(n) AS nets
}
WITH tied, holds, nets,
  reduce(s = {left: 260 - 2 * size(bundles) - 2 * size(ids) - size(nets), took: []},
    c IN [x IN candidates WHERE x.member] |
    CASE WHEN s.left > size(c.adds) AND size(s.took) < most
      THEN {left: s.left - size(c.adds) - 1, took: s.took + [c]} ELSE s END).took AS inside,
  reduce(s = {left: 35, took: []},
    c IN [x IN candidates WHERE NOT x.member] |
    CASE WHEN s.left > size(c.adds)
      THEN {left: s.left - size(c.adds) - 1, took: s.took + [c]} ELSE s END).took AS beside
WITH tied, holds, nets, inside + beside AS shown, [c IN inside + beside | c.a] AS accounts
WITH tied + holds + nets + reduce(so_far = [], c IN shown |
    so_far + [x IN c.adds WHERE type(x) <> 'LINKED' OR endNode(x) IN accounts]) AS ties
UNWIND ties AS tie
RETURN startNode(tie) AS source, tie, endNode(tie) AS target
LIMIT 300
