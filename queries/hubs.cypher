// id: hubs
// title: Identifiers that were damped
// answers: Which identifiers so many accounts share that they link no two of them, and why.
// param: kind text optional "only of this kind, e.g. ip"
// param: limit integer 1..1000 = 50 "at most so many, the widest first"
// returns: kind, label, accounts, bits, rings, damped
// mode: table
// false_positives: A damped identifier can still be an attacker's own (a proxy of theirs): damping says that
//   sharing it proves nothing, and not that it is innocent.
MATCH (i:Identifier {hub: true})
WHERE i.gone IS NULL AND ($kind IS NULL OR i.kind = $kind)
WITH i ORDER BY i.accounts DESC, i.kind, i.key LIMIT $limit
RETURN i.kind AS kind, i.label AS label, i.accounts AS accounts, i.bits AS bits,
  COUNT { (i)<-[:HOLDS]-(:Bundle) } AS rings, i.damped AS damped
ORDER BY accounts DESC, kind, label
LIMIT $limit
