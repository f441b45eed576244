# Computes the headline of a report again, from ratings.csv beside this script, with lme4 and lmerTest.
#   Rscript recompute.R [ratings.csv]
suppressPackageStartupMessages(library(lmerTest))

EXPECTED <- list(estimate = @ESTIMATE@, low = @LOW@, high = @HIGH@, level = @LEVEL@)
BALANCED <- @BALANCED@   # ratings weighted against uneven workloads
EXCLUDED <- @EXCLUDED@   # reviewers whom the frozen rule leaves out
REPEATED <- @REPEATED@   # prompts with the same content as an earlier one
MIXED <- @MIXED@         # the crossed mixed model took part in the headline
EARLIER <- @EARLIER@     # statistics of the stages before this one, from the frozen plan
COMBINED <- @COMBINED@   # the report's statistic over all stages, if there are several
LOG_ODDS <- @LOG_ODDS@   # the interval is on the scale of log odds; before version 0.2 it was symmetric

file <- commandArgs(trailingOnly = TRUE)
d <- read.csv(if (length(file)) file[1] else "ratings.csv", stringsAsFactors = FALSE)
d <- d[!(d$reviewer_id %in% EXCLUDED), ]
d$y <- c(win = 1, tie = 0.5, both_bad = 0.5, loss = 0)[d$preference]
same <- as.character(d$prompt_id) %in% names(REPEATED)
d$prompt_id[same] <- REPEATED[as.character(d$prompt_id[same])]
p <- factor(d$prompt_id)
r <- factor(d$reviewer_id)

# Every prompt weighs equally; inside it every rating, or less where its reviewer rated much.
own <- if (BALANCED) 1 / (3 + as.numeric(table(r)[r])) else rep(1, nrow(d))
w <- own / (nlevels(p) * ave(own, p, FUN = sum))
estimate <- sum(w * d$y)

# Two-way clustered: delete-one-cluster variance for prompts, for reviewers, and less that for both together.
one_way <- function(g) {
  share <- tapply(w, g, sum)
  move <- tapply(w * (d$y - estimate), g, sum) / (1 - share)
  G <- length(share)
  A <- diag(G) - outer(rep(1, G), share)
  quadratic <- t(A) %*% (as.vector(share / (1 - share))^2 * A)
  list(v = (G - 1) / G * sum(move^2), df = sum(diag(quadratic))^2 / sum(quadratic * t(quadratic)))
}
by_p <- one_way(p); by_r <- one_way(r); by_pr <- one_way(interaction(p, r, drop = TRUE))
v <- by_p$v + by_r$v - by_pr$v
least <- min(by_p$df, by_r$df)
if (v > 0) {
  df <- max(v^2 / (by_p$v^2 / by_p$df + by_r$v^2 / by_r$df), least)
} else {
  v <- max(by_p$v, by_r$v, by_pr$v); df <- least
}
inferences <- list(clustered = c(se = sqrt(v), df = df))

# Crossed random intercepts by REML; the standard error of exactly the weighted mean above, Satterthwaite's df.
if (MIXED) {
  m <- as_lmerModLmerTest(lmer(y ~ 1 + (1 | p) + (1 | r), data = d, REML = TRUE))
  names_of <- names(getME(m, "theta"))
  squares <- c(if (grepl("^p", names_of[1])) list(p, r) else list(r, p))
  weight_of <- c(sapply(squares, function(g) sum(tapply(w, g, sum)^2)), sum(w^2))
  variance <- function(par) sum(weight_of * c((par[1:2] * par[3])^2, par[3]^2))
  par <- c(getME(m, "theta"), sigma(m))
  free <- c(par[1:2] > 1e-3, TRUE)
  gradient <- sapply(which(free), function(i) {
    h <- 1e-4 * max(par[i], 1e-2); up <- par; down <- par
    up[i] <- par[i] + h; down[i] <- par[i] - h
    (variance(up) - variance(down)) / (2 * h)
  })
  spread <- sum(gradient * (m@vcov_varpar[free, free, drop = FALSE] %*% gradient))
  dfm <- min(max(2 * variance(par)^2 / spread, 1), nrow(d) - 1)
  inferences$mixed <- c(se = sqrt(variance(par)), df = dfm)
}

# Never narrower than the model says; a third of what the clustered variance has beyond it is added.
width <- sapply(inferences, function(i) unname(qt(1 - (1 - EXPECTED$level) / 2, i["df"]) * i["se"]))
half <- width[["clustered"]]
if (MIXED) half <- sqrt(width[["mixed"]]^2 + max(0, half^2 - width[["mixed"]]^2) / 3)
if (LOG_ODDS) {
  # One independent rating is added for each side, less if ratings vary.
  squares <- c(sum(tapply(w, p, sum)^2), sum(tapply(w, r, sum)^2), sum(w^2))
  size <- 1 / squares[3]; independent <- 1 / sum(c(0.36, 0.04, 0.6) * squares)
  added <- size / independent / (1 + size * sum(w * (d$y - estimate)^2))^2
  half <- max(half, qt(1 - (1 - EXPECTED$level) / 2, max(1, least)) * sqrt(added / size / independent))
  centre <- (size * estimate + added) / (size + 2 * added)
  ends <- plogis(qlogis(centre) + c(-1, 1) * half / (centre * (1 - centre)))
  low <- min(ends[1], estimate); high <- max(ends[2], estimate)
} else {
  low <- max(0, estimate - half); high <- min(1, estimate + half)
}
cat(sprintf("Win score %.4f, interval %.4f to %.4f (%d ratings, %d prompts, %d reviewers)\n",
            estimate, low, high, nrow(d), nlevels(p), nlevels(r)))
cat(sprintf("The report: %.4f, interval %.4f to %.4f\n", EXPECTED$estimate, EXPECTED$low, EXPECTED$high))
apart <- max(abs(c(estimate - EXPECTED$estimate, low - EXPECTED$low, high - EXPECTED$high)))
if (apart > 0.002) { cat(sprintf("They DIFFER by up to %.4f\n", apart)); quit(status = 1) }
if (length(EARLIER)) {
  # The verdict's statistic: a stage's own is its log odds over the half-width at the bound, in bounds.
  bound <- qnorm((1 + EXPECTED$level) / 2)
  ends <- qlogis(c(low, high))
  own_z <- bound * sum(ends) / diff(ends)
  z <- (sum(EARLIER) + own_z) / sqrt(length(EARLIER) + 1)
  cat(sprintf("Over %d stages: z %.3f (the report: %.3f), to be compared with %.3f\n",
              length(EARLIER) + 1L, z, COMBINED, bound))
  if (abs(z - COMBINED) > 0.02) { cat("They DIFFER\n"); quit(status = 1) }
}
cat("They agree.\n")
