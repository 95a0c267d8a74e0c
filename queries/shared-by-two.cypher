// id: shared-by-two
// title: What two accounts share
// answers: Each identifier that both have, how many others have it too, and when each used it.
// param: account account required "one account's id"
// param: other account required "the other account's id"
// param: limit integer 1..1000 = 100 "at most so many identifiers, the strongest first"
// returns: kind, label, bits, accounts, damped, first_seen, last_seen, other_first_seen, other_last_seen
// mode: table
// false_positives: Damped identifiers are listed as well; sharing one of them proves nothing.
MATCH (a:Account {account_id: $account}), (b:Account {account_id: $other})
WHERE a <> b
MATCH (a)-[s]->(i:Identifier)
MATCH (b)-[t]->(i)
RETURN i.kind AS kind, i.label AS label, CASE WHEN s.bits < t.bits THEN s.bits ELSE t.bits END AS bits,
  i.accounts AS accounts, i.damped AS damped, s.first_seen AS first_seen, s.last_seen AS last_seen,
  t.first_seen AS other_first_seen, t.last_seen AS other_last_seen
ORDER BY coalesce(bits, 0.0) DESC, accounts, kind, label
LIMIT $limit
