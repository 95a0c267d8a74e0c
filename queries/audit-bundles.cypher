// id: audit-bundles
// title: Bundles that do not hold what they say
// answers: Whether each bundle hangs on its ring and holds identifiers of its kind, as many as it says.
// param: limit integer 1..1000 = 100 "at most so many rows"
// returns: bundle, problem
// mode: audit
// false_positives: Links between accounts are relationships: a bundle of them holds nothing, and is not counted.
MATCH (b:Bundle {mirrored: true})
WHERE b.gone IS NULL
CALL (b) {
  MATCH (b)-[h:HOLDS {mirrored: true}]->(i:Identifier)
  RETURN count(h) AS held, sum(CASE WHEN i.kind = b.kind THEN 0 ELSE 1 END) AS strange
}
WITH b.bundle_id AS bundle, CASE
  WHEN NOT EXISTS { (b)<-[:TIED_BY]-(:Ring {ring_id: b.ring_id}) } THEN 'hangs on no ring'
  WHEN strange > 0 THEN 'holds identifiers of another kind'
  WHEN NOT b.kind STARTS WITH 'link:' AND held <> b.identifiers
    THEN 'says ' + toString(b.identifiers) + ' identifiers and holds ' + toString(held)
END AS problem
WHERE problem IS NOT NULL
RETURN bundle, problem
ORDER BY bundle
LIMIT $limit
