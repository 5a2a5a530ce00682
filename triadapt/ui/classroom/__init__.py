"""Classes on the pages: who a session is, what holds for it, and the teacher's panel."""
