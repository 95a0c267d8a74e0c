// id: outsiders
// title: Outsiders one step away from a ring, the closest first
// answers: Which accounts that are no members have identifiers that tie the ring, and how much that weighs.
// param: ring ring required "the ring: its id, the beginning of it, or its rank"
// param: kinds list optional "only through these kinds, e.g. payment,device"
// param: limit integer 1..1000 = 50 "at most so many accounts"
// returns: account, bits, kinds, identifiers, status, created_at, other_ring, bystander
// mode: table
// false_positives: Victims of a stolen card, neighbours on one network and customers of one shop: most outsiders
//   are innocent. A mirror of scope rings holds at most 20 outsiders of each identifier.
MATCH (r:Ring {ring_id: $ring})-[:TIED_BY]->(:Bundle)-[h:HOLDS]->(i:Identifier)
WHERE h.outsiders > 0 AND i.hub IS NULL AND ($kinds IS NULL OR i.kind IN $kinds)
WITH r, i ORDER BY coalesce(i.bits, 0.0) DESC, i.kind, i.key LIMIT 5000
MATCH (i)<-[s]-(a:Account)
// An address and its network are one kind of evidence.
WITH r, a, CASE i.kind
    WHEN 'ip_net' THEN 'ip' WHEN 'email_domain' THEN 'email' WHEN 'burst' THEN 'prompt' ELSE i.kind END AS kind,
  max(coalesce(s.bits, 0.0)) AS bits, collect(i.label) AS labels
WITH r, a, sum(bits) AS bits, collect(kind) AS kinds,
  reduce(so_far = [], few IN collect(labels[..5]) | so_far + few) AS labels
WHERE NOT EXISTS { (a)-[:MEMBER_OF]->(r) }
WITH r, a, bits, kinds, labels ORDER BY size(kinds) DESC, bits DESC, a.account_id LIMIT $limit
RETURN a.account_id AS account, bits, kinds, labels[..5] AS identifiers, a.status AS status,
  a.created_at AS created_at,
  head(COLLECT { MATCH (a)-[:MEMBER_OF]->(o:Ring) RETURN o.ring_id ORDER BY o.ring_id LIMIT 1 }) AS other_ring,
  head(COLLECT { MATCH (a)-[y:BYSTANDER_OF]->(r) RETURN y.reason LIMIT 1 }) AS bystander
ORDER BY size(kinds) DESC, bits DESC, account
LIMIT $limit
