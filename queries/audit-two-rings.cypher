// id: audit-two-rings
// title: Accounts in two rings
// answers: Whether the rings are a partition: an account is a member of one ring at most.
// param: limit integer 1..1000 = 100 "at most so many rows"
// returns: account, rings
// mode: audit
// false_positives: MEMBER_OF relationships that a person added by hand are not looked at.
MATCH (a:Account)-[m:MEMBER_OF {mirrored: true}]->(r:Ring)
WITH a, count(m) AS many, collect(r.ring_id)[..10] AS rings
WHERE many > 1
RETURN a.account_id AS account, rings
ORDER BY account
LIMIT $limit
