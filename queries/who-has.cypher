// id: who-has
// title: Who has this identifier
// answers: Which accounts were seen with a value, since when, and in which ring they are.
// param: kind text required "payment, ip, ip_net, device, user_agent, prompt, email, email_domain, phone, org or
//   your own"
// param: value identifier required "the value as in the export, e.g. 203.0.113.7; e-mails, phones and prompts are
//   hashed"
// param: limit integer 1..1000 = 100 "at most so many accounts, the latest first"
// returns: account, status, count, first_seen, last_seen, bits, ring, tier, accounts, damped
// mode: table
// false_positives: Sharing one value is no ring: mind the number of accounts that have it. Of more than 10,000
//   accounts only some are looked at. A value that one account has alone is not in the graph.
MATCH (i:Identifier {kind: $kind, key: $value})<-[s]-(a:Account)
WITH i, s, a LIMIT 10000
WITH i, s, a ORDER BY s.last_seen IS NULL, s.last_seen DESC, a.account_id LIMIT $limit
OPTIONAL MATCH (a)-[m:MEMBER_OF]->(r:Ring)
RETURN a.account_id AS account, a.status AS status, s.count AS count, s.first_seen AS first_seen,
  s.last_seen AS last_seen, s.bits AS bits, r.ring_id AS ring, m.tier AS tier, i.accounts AS accounts,
  i.damped AS damped
ORDER BY last_seen IS NULL, last_seen DESC, account
LIMIT $limit
