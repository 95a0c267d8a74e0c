// id: networks
// title: Whose networks the rings come through
// answers: Which autonomous systems and types of network (hosting, VPN, Tor, mobile carrier, education) the addresses
//   of rings are of, as far as the lists of linkage context know.
// param: ring ring optional "only of this ring"
// param: limit integer 1..1000 = 50 "at most so many"
// returns: type, asn, name, rings, addresses, outsiders, mean_bits, examples
// mode: table
// false_positives: Everybody's traffic goes through some network, and through a large one much of it: that rings do is
//   no mark against it. Lists of types are broad and grow old. Damped addresses are left out.
MATCH (b:Bundle {kind: 'ip'})-[h:HOLDS]->(i:IP)
WHERE i.gone IS NULL AND i.hub IS NULL AND ($ring IS NULL OR b.ring_id = $ring)
OPTIONAL MATCH (i)-[:IN]->(n:Network)
WITH b.ring_id AS ring, i, h.outsiders AS outsiders, coalesce(i.type, n.type) AS type, coalesce(i.asn, n.asn) AS asn,
  coalesce(i.name, n.name) AS name
WHERE type IS NOT NULL OR asn IS NOT NULL
RETURN type, asn, name, count(DISTINCT ring) AS rings, count(DISTINCT i) AS addresses, sum(outsiders) AS outsiders,
  round(avg(i.bits), 2) AS mean_bits, collect(DISTINCT i.label)[..5] AS examples
ORDER BY rings DESC, addresses DESC, type, asn
LIMIT $limit
