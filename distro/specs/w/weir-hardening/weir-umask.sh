# What a user makes is the user's: no others, no write for the group.
umask 027
