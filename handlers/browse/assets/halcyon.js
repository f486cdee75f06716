// What pages do beyond what HTML does by itself. Every page works without it.
