// id: shares-with-banned
// title: Accounts that share at least two kinds of identifiers with a banned one
// answers: Who may be a banned person come back: not banned, and tied to a banned account in several ways.
// param: least integer 1..20 = 2 "share at least so many kinds"
// param: banned integer 1..2000 = 500 "look at so many banned accounts, the latest first"
// param: limit integer 1..1000 = 100 "at most so many pairs"
// returns: account, banned_account, bits, kinds, identifiers, created_at, banned_at, ring
// mode: table
// false_positives: Housemates and colleagues of a banned person share address and device too. Identifiers of more
//   than 100 accounts and damped ones are not looked at.
MATCH (b:Account)
WHERE b.banned_at IS NOT NULL OR toLower(b.status) IN ['banned', 'suspended']
WITH b ORDER BY b.banned_at IS NULL, b.banned_at DESC, b.account_id LIMIT $banned
MATCH (b)-[t]->(i:Identifier)
WHERE i.hub IS NULL AND i.accounts <= 100
MATCH (i)<-[s]-(a:Account)
WHERE a <> b AND a.banned_at IS NULL AND NOT toLower(coalesce(a.status, '')) IN ['banned', 'suspended']
// An address and its network are one kind of evidence.
WITH a, b, CASE i.kind
    WHEN 'ip_net' THEN 'ip' WHEN 'email_domain' THEN 'email' WHEN 'burst' THEN 'prompt' ELSE i.kind END AS kind,
  max(coalesce(s.bits, 0.0)) AS bits, head(collect(i.label)) AS label
WITH a, b, sum(bits) AS bits, collect(kind) AS kinds, collect(label) AS labels
WHERE size(kinds) >= $least
WITH a, b, bits, kinds, labels ORDER BY size(kinds) DESC, bits DESC, a.account_id, b.account_id LIMIT $limit
OPTIONAL MATCH (a)-[:MEMBER_OF]->(r:Ring)
RETURN a.account_id AS account, b.account_id AS banned_account, bits, kinds, labels AS identifiers,
  a.created_at AS created_at, b.banned_at AS banned_at, r.ring_id AS ring
ORDER BY size(kinds) DESC, bits DESC, account, banned_account
LIMIT $limit
