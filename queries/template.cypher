// id: template
// title: Who sends this template of prompts
// answers: Which accounts send a template, how often and since when, by its name or by one that it had before later
//   prompts joined two templates.
// param: value text required "its name in evidence, e.g. template:00b9b0a758706368, or the digits alone, or a
//   fingerprint of the provider's"
// param: limit integer 1..1000 = 100 "at most so many accounts, the most exchanges first"
// returns: template, level, account, status, count, first_seen, last_seen, ring, tier, accounts, damped
// mode: table
// false_positives: Who sent it once may have copied it somewhere. A template that many products share (a framework's
//   default prompt) is damped. Of more than 10,000 accounts only some are looked at.
WITH CASE WHEN $value CONTAINS ':' THEN [$value, replace($value, 'exact:', 'template:')]
  ELSE [$value] + [level IN ['template', 'opening', 'ending', 'exact'] | level + ':' + $value] END AS names
MATCH (i:PromptFingerprint)
WHERE i.key IN names OR any(alias IN i.aliases WHERE alias IN names)
WITH i ORDER BY i.key LIMIT 10
MATCH (i)<-[s:SENT]-(a:Account)
WITH i, s, a LIMIT 10000
WITH i, s, a ORDER BY s.count DESC, a.account_id LIMIT $limit
OPTIONAL MATCH (a)-[m:MEMBER_OF]->(r:Ring)
RETURN i.key AS template, i.level AS level, a.account_id AS account, a.status AS status, s.count AS count,
  s.first_seen AS first_seen, s.last_seen AS last_seen, r.ring_id AS ring, m.tier AS tier, i.accounts AS accounts,
  i.damped AS damped
ORDER BY count DESC, account, template
LIMIT $limit
