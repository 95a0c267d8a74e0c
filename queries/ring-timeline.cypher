// id: ring-timeline
// title: Timeline of a ring, event by event
// answers: When its members signed up, began, stopped and were banned, in order.
// param: ring ring required "the ring: its id, the beginning of it, or its rank"
// param: since time optional "only from this time on"
// param: limit integer 1..1000 = 200 "at most so many events, the oldest first"
// returns: at, event, account, tier
// mode: table
// false_positives: The first exchange is the first in the exports that were read, not always the first of all.
MATCH (a:Account)-[m:MEMBER_OF]->(r:Ring {ring_id: $ring})
UNWIND [
  {at: a.created_at, event: 'signed up'},
  {at: a.first_seen, event: 'first exchange'},
  {at: a.last_seen, event: 'last exchange'},
  {at: a.banned_at, event: 'banned'}
] AS one
WITH a, m, one WHERE one.at IS NOT NULL AND ($since IS NULL OR one.at >= $since)
RETURN one.at AS at, one.event AS event, a.account_id AS account, m.tier AS tier
ORDER BY at, account, event
LIMIT $limit
