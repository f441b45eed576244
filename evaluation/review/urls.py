"""Pages and endpoints of rubrics, campaigns and reviewers."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from evaluation.review.api.campaigns import CampaignViewSet, RubricViewSet
from evaluation.review.api.practice import Practice
from evaluation.review.api.review import AcceptInvite, NextAssignment, SubmitRating
from evaluation.review.api.revisions import ReportProblem, ReviseRating, SaveDraft, SkipPair
from evaluation.review.views import blinding, campaigns, people, planning, practice, review, rubrics
from evaluation.review.views import reviewer as reviewer_pages

pages = [
    path("rubrics/", rubrics.library, name="rubrics"),
    path("rubrics/edit/", rubrics.edit, name="rubric_edit"),
    path("rubrics/preview/", rubrics.preview, name="rubric_preview"),
    path("rubrics/<int:pk>/", rubrics.version, name="rubric"),
    path("campaigns/", campaigns.campaigns, name="campaigns"),
    path("campaigns/new/", campaigns.campaign_new, name="campaign_new"),
    path("campaigns/plan/", planning.plan, name="campaign_plan"),
    path("campaigns/<uuid:pk>/", campaigns.campaign, name="campaign"),
    path("campaigns/<uuid:pk>/edit/", campaigns.campaign_edit, name="campaign_edit"),
    path("campaigns/<uuid:pk>/open/", campaigns.campaign_open, name="campaign_open"),
    path("campaigns/<uuid:pk>/open/cancel/", campaigns.campaign_open_cancel, name="campaign_open_cancel"),
    path("campaigns/<uuid:pk>/pause/", campaigns.campaign_pause, name="campaign_pause"),
    path("campaigns/<uuid:pk>/resume/", campaigns.campaign_resume, name="campaign_resume"),
    path("campaigns/<uuid:pk>/close/", campaigns.campaign_close, name="campaign_close"),
    path("campaigns/<uuid:pk>/amend/", campaigns.campaign_amend, name="campaign_amend"),
    path(
        "campaigns/<uuid:pk>/extend/", campaigns.campaign_follow, {"action": "extend"}, name="campaign_extend"
    ),
    path(
        "campaigns/<uuid:pk>/confirm/",
        campaigns.campaign_follow,
        {"action": "confirm"},
        name="campaign_confirm",
    ),
    path("campaigns/<uuid:pk>/practice/", practice.items, name="practice"),
    path("campaigns/<uuid:pk>/practice/<int:number>/remove/", practice.remove, name="practice_remove"),
    path("campaigns/<uuid:pk>/people/", people.people, name="people"),
    path("campaigns/<uuid:pk>/replace-invite/", people.replace_invite, name="campaign_replace_invite"),
    path("campaigns/<uuid:pk>/invite/", people.invite_people, name="invite_people"),
    path("campaigns/<uuid:pk>/link/", people.add_link, name="add_link"),
    path("campaigns/<uuid:pk>/send/", people.send, name="send_invitations"),
    path("campaigns/<uuid:pk>/links.csv", people.links_csv, name="links_csv"),
    path("campaigns/<uuid:pk>/invites/<int:invite>/withdraw/", people.withdraw, name="withdraw"),
    path("campaigns/<uuid:pk>/returned/", people.returned, name="returned"),
    path("campaigns/<uuid:pk>/approve-pay/", people.approve_pay, name="approve_pay"),
    path("campaigns/<uuid:pk>/reconciliation.csv", people.reconciliation_csv, name="reconciliation_csv"),
    path("campaigns/<uuid:pk>/participants.csv", people.participants_csv, name="participants_csv"),
    path("campaigns/<uuid:pk>/reviewers/<int:number>/pay/", people.set_pay, name="set_pay"),
    path("campaigns/<uuid:pk>/reviewers/<int:number>/erase/", people.erase, name="erase_reviewer"),
    path("campaigns/<uuid:pk>/blinding/", blinding.blinding, name="blinding"),
    path("campaigns/<uuid:pk>/blinding/scan/", blinding.blinding_scan, name="blinding_scan"),
    path("campaigns/<uuid:pk>/blinding/decide/", blinding.blinding_decide, name="blinding_decide"),
    path("r/<slug:code>/", review.invite, name="invite"),
    path("review/<uuid:campaign>/", review.review, name="review"),
    path("review/worker.js", reviewer_pages.review_worker, name="review_worker"),
    path(
        "review/<uuid:campaign>/manifest.webmanifest", reviewer_pages.review_manifest, name="review_manifest"
    ),
    path("review/<uuid:campaign>/done/", reviewer_pages.review_done, name="review_done"),
    path("review/<uuid:campaign>/guess/", reviewer_pages.review_guess, name="review_guess"),
    path("review/<uuid:campaign>/mine/", reviewer_pages.review_own, name="review_own"),
    path("review/<uuid:campaign>/erase/", reviewer_pages.review_erase, name="review_erase"),
]

router = SimpleRouter(use_regex_path=False)
router.register("rubrics", RubricViewSet, basename="rubric")
router.register("campaigns", CampaignViewSet, basename="campaign")
reviewer = [
    path("invites/<slug:code>/accept", AcceptInvite.as_view(), name="invite-accept"),
    path("campaigns/<uuid:campaign>/assignments/next", NextAssignment.as_view(), name="assignment-next"),
    path("campaigns/<uuid:campaign>/practice", Practice.as_view(), name="practice"),
    path("assignments/<uuid:token>/rating", SubmitRating.as_view(), name="rating"),
    path("assignments/<uuid:token>/revisions", ReviseRating.as_view(), name="revisions"),
    path("assignments/<uuid:token>/draft", SaveDraft.as_view(), name="draft"),
    path("assignments/<uuid:token>/skip", SkipPair.as_view(), name="skip"),
    path("assignments/<uuid:token>/problem", ReportProblem.as_view(), name="problem"),
]
endpoints = [path("", include((reviewer, "api"))), *router.urls]
