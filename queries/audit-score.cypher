// id: audit-score
// title: Scores, confidences and tiers that cannot be
// answers: Whether rings and memberships carry numbers from 0 to 1 and known words.
// param: limit integer 1..1000 = 100 "at most so many rows"
// returns: ring, account, problem
// mode: audit
// false_positives: What a person added by hand is not looked at.
CALL () {
  MATCH (r:Ring {mirrored: true})
  WHERE r.gone IS NULL AND NOT coalesce(0.0 <= r.score <= 1.0, false)
  RETURN r.ring_id AS ring, null AS account, 'its score is not from 0 to 1' AS problem
UNION ALL
  MATCH (r:Ring {mirrored: true})
  WHERE r.gone IS NULL AND r.review IS NOT NULL AND NOT r.review IN ['confirm', 'dismiss', 'watch', 'open']
  RETURN r.ring_id AS ring, null AS account, 'its review is none of confirm, dismiss, watch, open' AS problem
UNION ALL
  MATCH (a:Account)-[m:MEMBER_OF {mirrored: true}]->(r:Ring)
  WHERE NOT coalesce(0.0 <= m.confidence <= 1.0 AND m.tier IN ['core', 'likely', 'bridge'], false)
  RETURN r.ring_id AS ring, a.account_id AS account, 'its tier or confidence is none' AS problem
}
RETURN ring, account, problem
ORDER BY ring, account, problem
LIMIT $limit
