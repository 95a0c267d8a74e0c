// id: audit-ring-size
// title: Rings whose number of accounts is not that of their members
// answers: Whether each ring was mirrored with all its members.
// param: limit integer 1..1000 = 100 "at most so many rows"
// returns: ring, accounts, members
// mode: audit
// false_positives: A ring marked gone is not looked at.
MATCH (r:Ring {mirrored: true})
WHERE r.gone IS NULL
CALL (r) {
  MATCH (r)<-[m:MEMBER_OF {mirrored: true}]-(:Account)
  RETURN count(m) AS members
}
WITH r, members WHERE members <> coalesce(r.accounts, -1)
RETURN r.ring_id AS ring, r.accounts AS accounts, members
ORDER BY ring
LIMIT $limit
