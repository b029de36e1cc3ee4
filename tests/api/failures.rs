//! Models that panic or answer nonsense: that request's failure, and no other's.

use explaind::model::{Predictions, Values};
use insta::assert_snapshot;
use ndarray::Array2;

use crate::fake::Fake;
use crate::show::{show, show_error};
use crate::support::{Answer, TestApp, invoke, with};

async fn spoilt(predictions: fn(&mut Predictions), values: fn(&mut Values)) -> Answer {
    let app = TestApp::with_fake(Fake::spoilt(predictions, values), |_| {}).await;
    app.send(invoke("fake", "1,2\n3,4")).await
}

#[tokio::test]
async fn a_model_that_answers_well_is_explained() {
    assert_snapshot!(show(&spoilt(|_| {}, |_| {}).await), @r#"
    200
    content-type: application/json
    server-timing: queue;dur=[ms], decode;dur=[ms], predict;dur=[ms], plan;dur=[ms], values;dur=[ms], attribute;dur=[ms], encode;dur=[ms]
    x-amzn-invoked-production-variant: AllTraffic
    x-amzn-requestid: [request id]
    x-explaind-base-values: [0.0]
    x-explaind-device: cpu
    x-explaind-estimator: enumerated
    x-explaind-kernel: shapley
    x-explaind-stamp: [stamp]

    {"version":"1.0","predictions":{"content_type":"text/csv","data":"3\n7"},"explanations":{"kernel_shap":[[{"attributions":[{"attribution":[1.0]}]},
    {"attributions":[{"attribution":[2.0]}]}],[{"attributions":[{"attribution":[3.0]}]},
    {"attributions":[{"attribution":[4.0]}]}]]}}
    "#);
}

#[tokio::test]
async fn a_panic_is_that_requests_failure_and_the_next_is_answered() {
    let app =
        TestApp::with_fake(Fake::panicking(), |config| (config.running_max, config.waiting_max) = (1, 0)).await;
    assert_snapshot!(show_error(&app.send(invoke("fake", "1,2")).await), @r#"
    500
    content-type: application/json
    x-amzn-errortype: InternalFailure
    x-amzn-invoked-production-variant: AllTraffic
    x-amzn-requestid: [request id]

    {"Message":"An internal failure occurred."}
    "#);
    for status in [200, 500, 200] {
        assert_eq!(app.send(invoke("fake", "1,2")).await.status, status);
    }
}

#[tokio::test]
async fn numbers_that_are_not_finite_never_reach_the_document() {
    let spoilers: [fn(&mut Values); 3] = [
        |values| values.of_games[0].fill(f64::NAN),
        |values| values.of_games[1][[0, 0]] = f64::INFINITY,
        |values| values.of_games[0] = ndarray::array![[f64::MAX], [-f64::MAX]],
    ];
    for spoil in spoilers {
        let answer = spoilt(|_| {}, spoil).await;
        assert_eq!((answer.status, answer.header("x-amzn-errortype")), (500, "InternalFailure"), "{answer:?}");
    }
    let answer = spoilt(|predictions| predictions.values.fill(f64::NAN), |_| {}).await;
    assert_eq!(answer.status, 500, "{answer:?}");
}

#[tokio::test]
async fn answers_of_the_wrong_shape_are_failures() {
    let too_few_scores = spoilt(|predictions| predictions.values = Array2::zeros((1, 1)), |_| {}).await;
    assert_eq!(too_few_scores.json()["OriginalMessage"], "the model's answer has 1 records instead of 2");
    let spoilers: [fn(&mut Values); 2] =
        [|values| values.of_games[0] = Array2::zeros((1, 1)), |values| drop(values.of_games.pop())];
    for spoil in spoilers {
        let too_few_values = spoilt(|_| {}, spoil).await;
        assert_eq!(too_few_values.status, 500, "{too_few_values:?}");
    }
}

#[tokio::test]
async fn a_model_with_too_few_lines_is_never_filtered_by_the_wrong_line() {
    let app =
        TestApp::with_fake(Fake::spoilt(|predictions| predictions.text = "3".to_owned(), |_| {}), |_| {}).await;
    let request = with(invoke("fake", "1,2\n3,4"), "x-amzn-sagemaker-enable-explanations", "[0]>`1`");
    assert_snapshot!(show_error(&app.send(request).await), @r#"
    424
    content-type: application/json
    x-amzn-errortype: ModelError
    x-amzn-invoked-production-variant: AllTraffic
    x-amzn-requestid: [request id]

    {"ErrorCode":"CLIENT_ERROR_FROM_MODEL","LogStreamArn":"arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/fake","Message":"Received client error (400) from primary with message \"the model's answer has 1 records instead of 2\". See the server's log, request [request id].","OriginalMessage":"the model's answer has 1 records instead of 2","OriginalStatusCode":400}
    "#);
}
