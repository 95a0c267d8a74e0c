// id: ring-days
// title: Timeline of a ring, day by day
// answers: On how many accounts a day signed up, began, stopped or was banned: bursts and lulls at a glance.
// param: ring ring required "the ring: its id, the beginning of it, or its rank"
// param: limit integer 1..1000 = 200 "at most so many days, the oldest first"
// returns: day, signed_up, began, stopped, banned
// mode: table
// false_positives: A marketing campaign or the first day of a term brings bursts of sign-ups as well. Days are UTC.
MATCH (a:Account)-[:MEMBER_OF]->(r:Ring {ring_id: $ring})
UNWIND [
  {at: a.created_at, event: 0},
  {at: a.first_seen, event: 1},
  {at: a.last_seen, event: 2},
  {at: a.banned_at, event: 3}
] AS one
WITH one WHERE one.at IS NOT NULL
WITH date.truncate('day', one.at) AS on_day, one.event AS event, count(*) AS many
WITH on_day, collect([event, many]) AS counts
RETURN toString(on_day) AS day,
  reduce(n = 0, c IN counts | n + CASE WHEN c[0] = 0 THEN c[1] ELSE 0 END) AS signed_up,
  reduce(n = 0, c IN counts | n + CASE WHEN c[0] = 1 THEN c[1] ELSE 0 END) AS began,
  reduce(n = 0, c IN counts | n + CASE WHEN c[0] = 2 THEN c[1] ELSE 0 END) AS stopped,
  reduce(n = 0, c IN counts | n + CASE WHEN c[0] = 3 THEN c[1] ELSE 0 END) AS banned
ORDER BY day
LIMIT $limit
