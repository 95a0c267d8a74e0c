// id: unreviewed-rings
// title: Rings that nobody has decided on, the first to look at first
// answers: Which rings still wait for a person.
// param: limit integer 1..1000 = 50 "at most so many rings"
// returns: rank, ring, score, q_value, accounts, exchanges, last_seen, why, doubts
// mode: table
// false_positives: Families, offices, schools and shared test cards can look like rings: read the doubts.
MATCH (r:Ring)
WHERE r.gone IS NULL AND coalesce(r.status, 'open') = 'open' AND coalesce(r.review, 'open') = 'open'
RETURN r.rank AS rank, r.ring_id AS ring, r.score AS score, r.q_value AS q_value, r.accounts AS accounts,
  r.exchanges AS exchanges, r.last_seen AS last_seen, r.why AS why, r.doubts AS doubts
ORDER BY score DESC, rank, ring
LIMIT $limit
