# No ~/.lesshst: what was searched for in a log may be a secret.
export LESSHISTFILE=-
