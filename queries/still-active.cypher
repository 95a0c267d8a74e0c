// id: still-active
// title: Members not banned of rings that have a banned one
// answers: Where a ban caught only a part: who of such a ring still goes on.
// param: ring ring optional "only of this ring"
// param: confidence float 0..1 = 0 "only members of whom it is at least so sure"
// param: limit integer 1..1000 = 100 "at most so many members, the surest first"
// returns: account, ring, confidence, tier, status, last_seen, exchanges, banned_members, members
// mode: table
// false_positives: That a fellow was banned is no proof: members were not judged by it, and may be victims.
MATCH (b:Account)
WHERE b.banned_at IS NOT NULL OR toLower(b.status) IN ['banned', 'suspended']
MATCH (b)-[:MEMBER_OF]->(r:Ring)
WHERE $ring IS NULL OR r.ring_id = $ring
WITH r, count(DISTINCT b) AS banned_members ORDER BY banned_members DESC, r.rank LIMIT 500
MATCH (a:Account)-[m:MEMBER_OF]->(r)
WHERE m.confidence >= $confidence AND a.banned_at IS NULL
  AND NOT toLower(coalesce(a.status, '')) IN ['banned', 'suspended']
RETURN a.account_id AS account, r.ring_id AS ring, m.confidence AS confidence, m.tier AS tier, a.status AS status,
  a.last_seen AS last_seen, a.exchanges AS exchanges, banned_members, r.accounts AS members
ORDER BY confidence DESC, last_seen IS NULL, last_seen DESC, account
LIMIT $limit
