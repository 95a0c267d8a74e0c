// id: links
// title: The picture of a ring's direct links
// answers: Which members were linked to one another directly, e.g. by referral: who brought whom.
// param: ring ring required "the ring: its id, the beginning of it, or its rank"
// returns: source, tie, target
// mode: graph
// false_positives: Friends refer friends, and a referral campaign makes long chains of strangers.
MATCH (source:Account)-[:MEMBER_OF]->(r:Ring {ring_id: $ring})
MATCH (source)-[tie:LINKED]->(target:Account)
RETURN source, tie, target
ORDER BY tie.first_seen, source.account_id, target.account_id
LIMIT 90
