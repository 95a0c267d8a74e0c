// id: audit-unshared
// title: Identifiers that fewer than two accounts have
// answers: Whether only what is shared was mirrored.
// param: limit integer 1..1000 = 100 "at most so many rows"
// returns: kind, label, accounts, tied
// mode: audit
// false_positives: An identifier that a person made by hand is not looked at, nor one marked gone.
MATCH (i:Identifier {mirrored: true})
WHERE i.gone IS NULL AND COUNT { (i)<--(:Account) } < 2
RETURN i.kind AS kind, i.label AS label, i.accounts AS accounts, COUNT { (i)<--(:Account) } AS tied
ORDER BY kind, label
LIMIT $limit
